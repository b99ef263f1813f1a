"""The parts behind the face: one watches, one decides, one answers."""
