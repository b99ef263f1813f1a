"""Running a start: the plan and its arithmetic are pure, `run` has the effects, events carry everything else."""
