"""Each mistake is told once, where it stands, whatever else is wrong: lists grow and shrink while a spec is read."""

from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.spec.loading import load_text

HEAD = """version: 1
service: shop
variables:
  D0: {type: list, default: "a b"}
  D1: {type: list, default: "c d e"}
  D2: {type: list, default: "f"}
  D3: {type: list, default: "g h"}
  D4: {type: list, default: ""}
  D5: {type: list, default: "i j"}
  NONE: {type: list, default: ""}
  ARGS: {type: list, default: "a b c"}
  KEY: {secret: true, required: true}
  MODE: {default: fast}
fallbacks: {gently: warn}
on_failure: gently
x-shared: &shared {timeout: 5s}
"""
ITEMS = {
    "directories": [
        ("{{path: d{0}}}", None),
        ("${{D{0}}}", None),
        ("${{NONE}}", None),
        ('"${{NOBODY_HAS_THIS:+gone{0}}}"', None),
        ("{{path: d{0}, mode: 750}}", "ORC108"),
        ("{{pth: d{0}}}", "ORC104"),
        ("{{path: d{0}, min_free: 5}}", "ORC107"),
        ("{{path: d{0}, on_failure: nobody}}", "ORC205"),
        ("{{path: d{0}, why: }}", "ORC125"),
    ],
    "wait_for": [
        ('{{name: w{0}, tcp: "db:5432", <<: *shared}}', None),
        ('{{name: w{0}, tpc: "db:5432"}}', "ORC112"),
        ('{{name: w{0}, redis: "redis://:correct-horse@cache/0"}}', "ORC123"),
        ('{{name: w{0}, tcp: "db:5432", timout: 5s}}', "ORC104"),
        ('{{name: w{0}, tcp: "${{UNDECLARED_{0}}}:1"}}', "ORC214"),
        ('{{name: w{0}, tcp: "db:1", needs: [nobody{0}]}}', "ORC201"),
        ('{{name: w{0}, tcp: "db:1", when: {{variable: MODE, equals: 1.10}}}}', "ORC131"),
        ('{{name: w{0}, tcp: "db:1", when: {{step: nobody{0}}}}}', "ORC201"),
        ('{{name: w{0}, tcp: "db:1", deadline: 5}}', "ORC106"),
        ('{{name: w{0}, tcp: "db:1", timeout: 0s}}', "ORC128"),
        ('{{name: w{0}, tcp: "db:1", deadline: }}', "ORC125"),
        ('{{name: w{0}, tcp: "db:1", http: "http://db"}}', "ORC111"),
    ],
    "steps": [
        ('{{name: s{0}, run: [a, "${{ARGS}}", "${{NONE}}"]}}', None),
        ('{{name: s{0}, run: [a, "${{ARGS}}", "${{KEY}}"]}}', "ORC216"),
        ('{{name: s{0}, run: [a, "${{ARGS}}", 3]}}', "ORC102"),
        ("{{name: s{0}, run: [a], shell: b}}", "ORC113"),
        ("{{name: s{0}, run: a b}}", "ORC102"),
        ("{{name: s{0}, run: [a], lock: nobody}}", "ORC113"),
        ("{{name: s{0}, run: [a], outputs: [PATH]}}", "ORC126"),
        ("{{name: s{0}, run: [a], retry: {{initial: 9s, max: 1s}}}}", "ORC124"),
        ("{{name: s{0}, run: [a], environment: {{A: yes}}}}", "ORC102"),
    ],
}
SPECS = st.fixed_dictionaries(
    {section: st.lists(st.sampled_from(items), max_size=6) for section, items in ITEMS.items()}
)


def written(spec):
    """The text, and the code that belongs to each line that is wrong."""
    lines, expected = HEAD.splitlines(), {}
    for section, items in spec.items():
        lines += [f"{section}:"] if items else []
        for at, (item, code) in enumerate(items):
            lines.append("  - " + item.format(at))
            expected |= {len(lines): code} if code else {}
    return "\n".join(lines) + "\n", expected


def wrong(section, *codes):
    return [next(each for each in ITEMS[section] if each[1] == code) for code in codes]


@given(SPECS)
@example({"directories": [ITEMS["directories"][1], *wrong("directories", "ORC125", "ORC108", "ORC205")]})
@example({"wait_for": wrong("wait_for", "ORC112", "ORC123", "ORC131", "ORC125")})
@example({"steps": wrong("steps", "ORC102", "ORC216", "ORC124")})
def test_each_mistake_is_told_once_where_it_stands(spec):
    text, expected = written(spec)
    found = load_text(text).diagnostics
    assert [(each.place.line, each.code) for each in found] == list(expected.items())
