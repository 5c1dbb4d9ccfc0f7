# SPDX-License-Identifier: MIT
"""The house rules (docs/architecture.md), checked file by file. Each test lists every violation."""

import pathlib
import re

import pytest
from tree import HOMES, MAY_INCLUDE, ROOT, SOURCE, SYSTEM
from tree import cxx_files, includes, kept_files, layer, lines, scripts

TEXT = (".h", ".cc", ".py", ".sh", ".md", ".txt", ".cmake", ".yaml", ".yml", ".service", ".json", "")
LONGEST_FILE = 500
# Files that may be longer, and how long: a number here may only fall.
LONGER = {}


def report(violations):
    assert not violations, "\n" + "\n".join(violations)


def test_every_folder_of_src_has_its_rule():
    report([f"src/{entry.name}: no rule says what it may include (tests/house/tree.py)"
            for entry in SOURCE.iterdir() if entry.name not in MAY_INCLUDE])


def test_includes_only_point_downwards():
    wrong = []
    for file in cxx_files("src"):
        allowed = MAY_INCLUDE[layer(file)] | {layer(file)}
        for number, header, kind in includes(file):
            if kind == "quoted" and header.split("/")[0] not in allowed:
                wrong.append(f"{file}:{number}: may not include {header}")
    report(wrong)


def test_quoted_includes_are_written_from_src():
    report([f"{file}:{number}: there is no src/{header}"
            for file in cxx_files("src")
            for number, header, kind in includes(file)
            if kind == "quoted" and not (SOURCE / header).is_file()])


def test_third_party_headers_stay_in_their_homes():
    wrong = []
    for file in cxx_files("src"):
        inside = str(pathlib.Path(file).relative_to("src"))
        for number, header, kind in includes(file):
            if kind == "quoted" or SYSTEM.fullmatch(header):
                continue
            home = next((home for name, home in HOMES if re.fullmatch(name, header)), None)
            if home is None:
                wrong.append(f"{file}:{number}: <{header}> has no home (tests/house/tree.py)")
            elif not re.match(home, inside):
                wrong.append(f"{file}:{number}: <{header}> belongs into src/{home}")
    report(wrong)


def cmake_layers():
    """{layer: its links to other layers} as CMakeLists.txt declares them."""
    found = {}
    text = (ROOT / "CMakeLists.txt").read_text()
    for name, arguments in re.findall(r"^lb_layer\((\w+)\s+([^)]*)\)", text, re.MULTILINE):
        links = re.search(r"\bLINKS\s+(.*?)(?:\s[A-Z_]{5,}\b|$)", arguments, re.DOTALL)
        found[name] = set(re.findall(r"\blb_(\w+)", links[1] if links else ""))
    return found


def test_the_links_of_each_layer_are_its_allowed_includes():
    layers = cmake_layers()
    folders = {entry.name for entry in SOURCE.iterdir() if entry.is_dir()}
    assert folders <= set(layers), "a folder of src/ without its lb_layer()"
    report([f"lb_{name} links {sorted(links)}, may include {sorted(MAY_INCLUDE[name] & set(layers))}"
            for name, links in layers.items() if links != MAY_INCLUDE[name] & set(layers)])


def test_main_links_what_it_may_include():
    text = (ROOT / "CMakeLists.txt").read_text()
    links = re.search(r"target_link_libraries\(lb\s+PRIVATE([^)]*)\)", text)[1]
    assert set(re.findall(r"\blb_(\w+)", links)) == MAY_INCLUDE["main.cc"]


def test_every_source_begins_with_its_license():
    wrong = [f"{file}:1: not '// SPDX-License-Identifier: MIT'"
             for file in cxx_files("src", "tests", "bench")
             if lines(file)[:1] != ["// SPDX-License-Identifier: MIT"]]
    wrong += [f"{file}: no '# SPDX-License-Identifier: MIT' in its first two lines"
              for file in scripts()
              if "# SPDX-License-Identifier: MIT" not in lines(file)[:2]]
    report(wrong)


def test_headers_use_pragma_once():
    report([f"{file}: no #pragma once" for file in cxx_files("src", "tests", "bench")
            if file.suffix == ".h" and "#pragma once" not in lines(file)])


def test_nothing_is_left_for_later():
    later = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
    report([f"{file}:{number}: {line.strip()}"
            for file in kept_files(*TEXT) for number, line in enumerate(lines(file), 1)
            if later.search(line)])


def test_no_file_is_long():
    wrong = []
    for file in [*cxx_files("src", "tests", "bench"), *scripts()]:
        limit = LONGER.get(str(file), LONGEST_FILE)
        if len(lines(file)) > limit:
            wrong.append(f"{file}: {len(lines(file))} lines, at most {limit}")
    report(wrong)


def test_no_paths_of_one_machine():
    machine = re.compile(r"(?<![\w.$}])/(?:work|home|root|Users)/[\w.-]")
    report([f"{file}:{number}: {line.strip()}"
            for file in kept_files(*TEXT) for number, line in enumerate(lines(file), 1)
            if machine.search(line)])


def test_public_classes_say_what_they_are():
    wrong = []
    for file in cxx_files("src"):
        text = lines(file)
        for index, line in enumerate(text):
            declared = re.match(r"(?:class|struct)\s+(?:alignas\(\w+\)\s+)?(\w+)[^;]*$", line)
            # Plain structs of settings may explain themselves member by member.
            if file.suffix != ".h" or not declared or line.startswith("struct"):
                continue
            above = index - 1
            while above >= 0 and re.match(r"template|\s+typename|\[\[", text[above]):
                above -= 1
            if not text[above].startswith("//"):
                wrong.append(f"{file}:{index + 1}: no comment says what {declared[1]} is")
    report(wrong)


def test_names_say_what_things_are():
    vague = re.compile(r"\b(?:class|struct|namespace)\s+\w*(?:Manager|Helper|Utils?|util|helpers?)\b")
    ends = re.compile(r"upstream|downstream", re.IGNORECASE)  # the field uses them for opposite ends
    report([f"{file}:{number}: {line.strip()}"
            for file in cxx_files("src") for number, line in enumerate(lines(file), 1)
            if vague.search(line) or ends.search(re.sub(r'"[^"]*"', "", line))])


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "scripts/run" in text and "scripts/test" in text


def test_the_architecture_fits_in_one_reading():
    assert len(lines("docs/architecture.md")) <= 200


def slug(heading):
    """The anchor that a heading of a Markdown page gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+\s+(.*)$", prose, re.MULTILINE)}


@pytest.mark.parametrize("page", kept_files(".md"), ids=str)
def test_links_of_a_page_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (ROOT / page).parent / name if name else ROOT / page
        if not found.exists():
            wrong.append(f"{page}: {target}: no such file")
        elif anchor and found.suffix == ".md" and anchor not in anchors(found):
            wrong.append(f"{page}: {target}: no such heading")
    report(wrong)


def test_documents_that_files_name_exist():
    named = re.compile(r"(?<![\w/])docs/[\w./-]+\.md\b")
    report([f"{file}:{number}: there is no {name}"
            for file in kept_files(*TEXT) for number, line in enumerate(lines(file), 1)
            for name in named.findall(line) if not (ROOT / name).is_file()])
