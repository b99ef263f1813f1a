"""The table of codes: severity and title of each."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A kind of finding. `code` is stable; `severity` is its default; `title` is what it is about."""

    code: str
    severity: str
    title: str


FAMILIES = {
    "ORC0": "reading YAML",
    "ORC1": "structure and values",
    "ORC2": "references, overlays, interpolation",
    "ORC3": "lint",
    "ORC4": "requirements",
    "ORC5": "waits",
    "ORC6": "steps",
    "ORC7": "launch and health",
    "ORC8": "fallbacks",
    "ORC9": "internal",
}

_SEVERITIES = {"E": "error", "W": "warning", "N": "note"}

# One line a code: number, severity, title.
_TABLE = """
001 E file cannot be read
002 E file is too large
003 E file is not UTF-8 text
004 E YAML syntax error
005 E document is empty
006 E top level is not a mapping
007 E nested too deep
008 E too many aliases
009 E duplicate key
010 E key is not a string
011 E unsafe or unknown tag
012 E more than one document
013 W word that YAML reads as a boolean
014 W number in base 60
015 W unquoted octal number
016 E number is not finite or too large
017 E tab used for indentation
018 N byte order mark or CRLF line ends
019 W misused merge key
020 E unquoted `${` inside brackets
021 W text that YAML reads as a date
022 E alias that contains itself

101 E missing key
102 E wrong type
103 E value not allowed
104 E unknown key
105 E number out of range
106 E invalid duration
107 E invalid size
108 E invalid file mode
109 E invalid name
110 E invalid requirement or version specifier
111 E no kind given, or several
112 E unknown kind
113 E keys that exclude or need each other
114 E unsupported version of the spec
115 E empty where something is needed
116 E invalid regular expression
117 E invalid URL or address
118 E invalid condition
119 E invalid expectation
120 E unknown server option
121 N server options not checked
122 E invalid import name
123 E secret written in the spec
124 E contract contradicts itself
125 W key has no effect
126 E reserved variable
127 E workers do not fit into the memory
128 W deadline is too short
129 W liveness asks the readiness path
130 E invalid path
131 W text that YAML reads as a number
132 W root's rights are held while something is waited for

201 E reference to nothing
202 E ambiguous reference
203 E duplicate id
204 E cycle of needs
205 E unknown fallback
206 W unused fallback
207 W fallback can never be reached
208 W item can never be reached
209 E unknown health endpoint
210 E overlay not found
211 E overlay removes what is not there
212 E cycle of bases
213 E invalid interpolation
214 W unknown variable
215 E cycle of defaults
216 E secret in an argument vector
217 E variables are missing
218 E value of a variable does not fit its field
219 E interpolation is not allowed here
220 E cycle of fallbacks
221 E unknown role
222 E action is not allowed here
223 W suppression without reason or effect
224 E overlay tag outside an overlay
225 E fallback stands for too many actions

401 E variable is missing
402 E variable is invalid
403 E variable is forbidden or in conflict
404 E secret file cannot be read
411 E Python does not fit
412 E package is missing
413 E package has the wrong version
414 E package lacks an extra
415 E packages are inconsistent
421 E module not found
422 E module fails on its own imports
423 E module raises when imported
424 E import hangs
425 E import ends the process
426 E module comes from elsewhere
427 E attribute is missing
431 E directory is missing
432 E directory is not writable
433 E directory has the wrong mode or owner
434 E not enough space
435 E not a directory or not a mount
441 E file is missing
442 E file has the wrong mode or owner
443 E file has the wrong format
444 E file has the wrong content
451 E host has too little memory or CPU
452 E too few open files allowed
453 E wrong user
461 E port is in use
462 E port is not permitted
471 E check failed

501 E connection refused
502 E timeout
503 E name cannot be resolved
504 E host is unreachable
505 E TLS failed
506 E authentication failed
507 E protocol error
508 E unexpected answer
509 E driver is missing

601 E step failed
602 E step timed out
603 E step could not start
604 E step output is invalid

701 E app did not boot
702 E app not found
703 E never became ready
704 E server died
705 W server listens on loopback inside a container
706 E health check failed
707 W no state directory
708 W no operations listener

801 E fallback failed
802 E remedy did not help
803 N feature is degraded
804 E outcome is not the expected one
805 E fallback does not do what it says

901 E internal error
902 E a dependency of the engine is missing
"""


def _read(table: str) -> dict[str, Code]:
    rows = (line.split(" ", 2) for line in table.splitlines() if line)
    return {
        f"ORC{number}": Code(f"ORC{number}", _SEVERITIES[letter], title) for number, letter, title in rows
    }


CODES: dict[str, Code] = _read(_TABLE)


def severity_of(code: str) -> str:
    """The severity that findings of this code have unless something says otherwise."""
    return CODES[code].severity


def family_of(code: str) -> str:
    """What the code's family is about, such as `reading YAML`."""
    return FAMILIES[code[:4]]
