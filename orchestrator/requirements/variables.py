"""`variables`: the contract of each environment variable. The model is `spec.variable`: the spec itself has values put in by it."""

from orchestrator.spec.variable import Variable

KIND = Variable
