"""`packages`: distributions that must be installed, by their metadata. Imports none of them."""

import shlex
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.core.outcome import failed, ok
from orchestrator.diagnostics.patterns import pattern
from orchestrator.requirements import _installed
from orchestrator.requirements._agreement import applies, bare, consistent, fits, hidden, lacking, same_place
from orchestrator.requirements._base import Requirement, judged
from orchestrator.spec.breaking import CannotBreak
from orchestrator.spec.errors import problem
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import NonEmpty, PathText

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.requirements import Requirement as Parsed

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox

_NAME = pattern(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_PLAIN = pattern(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9]+(?:[-_.][A-Za-z0-9]+)*\])?"
    r"(?:(?:[<>]=?|==|!=|~=)[0-9]+(?:\.[0-9]+)+)?\Z"
)
_ONE_EQUALS = pattern(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*=\s*([0-9][^=]*)\Z")
_FORMS = ("requirement", "from_", "consistent")


def _pep_508(value: str) -> str:
    if _PLAIN.match(value):  # the commonest forms cost no import
        return value
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(value)
    except InvalidRequirement:
        raise problem("ORC110", f"expected a requirement, got `{value}`", _spelling(value)) from None
    return value


def _spelling(value: str) -> str:
    """How the requirement was probably meant."""
    file = value.removeprefix("-r").strip()
    if file.endswith((".txt", ".toml")):
        return f"to take a whole file write {{from: {file}}}"
    if one := _ONE_EQUALS.match(value):
        return f"write `{one.group(1)}=={one.group(2)}`"
    return 'for example "fastapi>=0.110" or "uvicorn[standard]" (PEP 508)'


class Package(Requirement):
    """A distribution that must be installed, in a version that fits, with what its extras bring."""

    kind = "package"
    noun = "package"
    shorthand = "requirement"
    identity_field = "requirement"
    removed_keys: ClassVar = {
        **dict.fromkeys(("installed", "forbidden"), "write a check: `holds: {not: {package: NAME}}`"),
        "editable": "write a check: `run: [sh, -c, \"! pip freeze | grep -q '^-e'\"]`",
        "source": "write a check: `run: [sh, -c, \"! pip freeze | grep -q ' @ '\"]`",
        "verify": "let pip compare them where the image is built: `pip install --require-hashes`",
    }

    requirement: Annotated[str, AfterValidator(_pep_508)] | None = Field(
        None,
        description="A requirement (PEP 508): name, extras, versions, marker.",
        examples=["fastapi>=0.110", "uvicorn[standard]"],
    )
    from_: Templated[PathText] | None = Field(
        None,
        description="A requirements.txt, pyproject.toml or pylock.toml: all it lists, but for `-e`, options and URLs.",
        alias="from",
        examples=["requirements.txt"],
    )
    extras: Annotated[tuple[Templated[str], ...], NonEmpty] | None = Field(
        None,
        description="Tables of [project.optional-dependencies] of the pyproject.toml that are taken too.",
        examples=[["server"]],
    )
    groups: Annotated[tuple[Templated[str], ...], NonEmpty] | None = Field(
        None,
        description="Tables of [dependency-groups] of the pyproject.toml that are taken too.",
        examples=[["prod"]],
    )
    consistent: Literal[True] | None = Field(
        None, description="Asks that everything that is installed satisfies what everything else requires."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [name for name in _FORMS if getattr(self, name) is not None]
        if len(given) == 1:
            return self._only_where_it_means_something()
        listed = " and ".join(f"`{each.rstrip('_')}`" for each in given) or "none"
        raise problem(
            "ORC111",
            f"a package has exactly one of `requirement`, `from`, `consistent`, found {listed}",
            "split it in several" if given else "for example `- fastapi>=0.110`",
        )

    def _only_where_it_means_something(self) -> Self:
        tables = self.extras is not None or self.groups is not None
        if tables and not (self.from_ or "").endswith("pyproject.toml"):
            word = "extras" if self.extras is not None else "groups"
            raise problem(
                "ORC113",
                f"`{word}` are tables of a pyproject.toml",
                "write it beside `from: pyproject.toml`"
                if word == "groups" or self.requirement is None
                else f'write "{self.requirement}[{",".join(self.extras or ())}]"',
            )
        return self

    @property
    def title(self) -> str:
        if self.requirement is not None:
            return _named(self.requirement)
        return "consistent" if self.consistent else str(self.from_)

    @classmethod
    def identify(cls, data: Any) -> str | None:
        """A package is matched by its name alone: an overlay may ask for another version."""
        if isinstance(data, dict):
            given = data.get("id") or data.get("requirement") or data.get("from")
            if given is None:
                return "consistent" if data.get("consistent") else None
            return _named(given) if isinstance(given, str) and "requirement" in data else given
        return _named(data) if isinstance(data, str) else None

    def expand(self, context: "Context") -> "Iterable[Requirement]":
        """What the file lists, and itself where the file is wrong or empty."""
        if self.from_ is None or self.requirement is not None:
            return (self,)
        listed = self._listed(context)
        made = [
            self.model_copy(update={"requirement": each, "id": None, "extras": None, "groups": None})
            for each in _merged(listed.requirements)
        ]
        return [self, *made] if listed.problems or not made else made

    def failures(self) -> tuple[str, ...]:
        if self.consistent:
            return ("version",)
        has_version = self.requirement is not None and any(sign in self.requirement for sign in "<>=~!")
        return ("missing", "version") if has_version else ("missing",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        from orchestrator.requirements import _uninstall

        if self.requirement is None:
            raise CannotBreak("it is no single distribution")
        name = _named(self.requirement)
        found = _installed.find(name, sandbox.search_path())
        if not found or not found[0].path.endswith(".dist-info"):
            raise CannotBreak(f"{name} is not installed as a folder of metadata")
        if failure == "version":
            _uninstall.change_version(found[0], self.requirement)
        else:
            _uninstall.uninstall(found[0])

    def attempt(self, context: "Context") -> "Outcome":
        path = _installed.search_path(context)
        if self.consistent:
            return consistent(path)
        if self.requirement is None:
            return self._file(context)
        from packaging.requirements import Requirement as Parse

        wanted = Parse(self.requirement)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            return ok(f"{wanted.name} is not needed here: {wanted.marker}", applies=False)
        found = _installed.find(wanted.name, path)
        if not found:
            return self._missing(wanted, path)
        wrong = [*self._version(wanted, found), *_url(wanted, found[0]), *_lost(wanted, found[0])] or [
            *self._extras(wanted, found[0], path)
        ]
        return judged(wrong, _summary(found[0]), found=found[0].version, path=found[0].path)

    def _listed(self, context: "Context") -> Any:
        from orchestrator.requirements._listed import read

        assert self.from_ is not None
        return read(context.path(self.from_), self.from_, context.user, self.extras or (), self.groups or ())

    def _file(self, context: "Context") -> "Outcome":
        listed = self._listed(context)
        wrong = [
            failed(code, "missing" if code == "ORC441" else "invalid", summary, hint, final=True)
            for code, summary, hint in listed.problems
        ]
        return judged(wrong, f"{self.from_} lists {len(listed.requirements)} packages")

    def _missing(self, wanted: "Parsed", path: "Sequence[str]") -> "Outcome":
        return failed(
            "ORC412",
            "missing",
            f"{bare(wanted)} is not installed",
            _otherwise(wanted.name, path) + self._remedy(bare(wanted)),
            package=wanted.name,
        )

    def _remedy(self, requirement: str) -> str:
        command = f"pip install {shlex.quote(requirement)}"
        if self.from_ is None:
            return f"{command}; for an image: add `{requirement}` to the file that RUN pip install -r reads"
        if self.from_.endswith(".txt"):
            return f"{command}; {self.from_} lists it: RUN pip install -r {self.from_}"
        return f"{command}; {self.from_} lists it"

    def _version(self, wanted: "Parsed", found: list[_installed.Distribution]) -> "Iterator[Outcome]":
        for each in found:
            if not each.version:
                yield failed(
                    "ORC412",
                    "missing",
                    f"{wanted.name} is half installed: {each.path} has no version",
                    f"pip install --force-reinstall {shlex.quote(bare(wanted))}",
                    package=wanted.name,
                )
            elif not fits(wanted.specifier, each.version):
                yield failed(
                    "ORC413",
                    "version",
                    f"needs {wanted.name}{wanted.specifier}, found {each.version} in {each.place}",
                    self._remedy(bare(wanted)),
                    package=wanted.name,
                    found=each.version,
                )

    def _extras(
        self, wanted: "Parsed", found: _installed.Distribution, path: "Sequence[str]"
    ) -> "Iterator[Outcome]":
        known = {_installed.normalise(each) for each in found.extras}
        for extra in sorted(wanted.extras):
            if _installed.normalise(extra) not in known:
                listed = ", ".join(sorted(found.extras)) or "none"
                yield failed(
                    "ORC414",
                    "extra",
                    f"{found.name} {found.version} has no extra `{extra}`; its extras are {listed}",
                    _near(extra, found.extras) or f"take `{extra}` out, or ask for a version that has it",
                    package=wanted.name,
                    final=True,
                )
                continue
            missing = list(lacking(found, extra, path, set()))
            if missing:
                yield failed(
                    "ORC414",
                    "extra",
                    f"{found.name}[{extra}] lacks {', '.join(missing)}",
                    self._remedy(bare(wanted)),
                    package=wanted.name,
                )


def _url(wanted: "Parsed", found: _installed.Distribution) -> "Iterator[Outcome]":
    """A direct URL is compared where the installer recorded one."""
    recorded = str(found.origin.get("url", ""))
    if wanted.url and recorded and not same_place(wanted.url, recorded):
        yield failed(
            "ORC413",
            "version",
            f"needs {wanted.name} from {hidden(wanted.url)}, it comes from {hidden(recorded)}",
            f"pip install --force-reinstall {shlex.quote(wanted.name + ' @ ' + hidden(wanted.url))}",
            package=wanted.name,
        )


def _lost(wanted: "Parsed", found: _installed.Distribution) -> "Iterator[Outcome]":
    """Metadata without the files, as an image that copies too little leaves them."""
    if module := found.lost_module():
        yield failed(
            "ORC412",
            "missing",
            f"{found.name} {found.version} is broken: its module `{module}` is not in {found.place}",
            f"pip install --force-reinstall {shlex.quote(bare(wanted))}",
            package=wanted.name,
        )


def _named(requirement: str) -> str:
    """The normalised name a requirement begins with."""
    found = _NAME.match(requirement)
    return _installed.normalise(found.group(1)) if found else requirement


def _summary(found: _installed.Distribution) -> str:
    editable = f" (editable, {found.editable})" if found.editable else ""
    return f"{found.name} {found.version}{editable}"


def _otherwise(name: str, path: "Sequence[str]") -> str:
    """What is installed and was probably meant: what brings a module of that name, or a name that is near."""
    brings = _installed.provider(name, path)
    if brings:
        return f"`{name}` is a module of `{brings}`, which is installed: write `{brings}`; otherwise "
    near = _near(_installed.normalise(name), _installed.names(path))
    return f"{near[:-1]}, which is installed? otherwise " if near else ""


def _near(word: str, candidates: "Iterable[str]") -> str:
    from orchestrator.core.suggest import did_you_mean

    return did_you_mean(word, candidates)


def _merged(listed: list[tuple[str, str]]) -> list[str]:
    """One requirement for each distribution: a file may name it several times, for different platforms."""
    from packaging.requirements import Requirement as Parse

    made: dict[str, Parsed] = {}
    for text, _ in listed:
        each = Parse(text)
        before = made.get(_installed.normalise(each.name))
        if before is None or not applies(before):
            made[_installed.normalise(each.name)] = each
        elif applies(each):
            before.specifier &= each.specifier
            before.extras |= each.extras
    return [str(each) for each in made.values()]


KIND = Package
