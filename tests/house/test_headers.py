# SPDX-License-Identifier: MIT
"""Every header compiles alone: whoever includes it needs to know nothing else. What a source of
the same name includes first scripts/lint shows, which reads it without the precompiled headers; the
others are compiled here."""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess

import pytest
from tree import ROOT, SOURCE, cxx_files, includes, layer

COMMANDS = ROOT / "build/release/compile_commands.json"
# What compiled before: {header: hash of all that its compilation read}.
SEEN = ROOT / "build/results/headers.json"


def compile_flags():
    """{layer: compiler and flags} from the commands of the release build."""
    found = {}
    for entry in json.loads(COMMANDS.read_text()):
        if not entry["file"].startswith(f"{SOURCE}{os.sep}"):
            continue
        words = iter(shlex.split(entry["command"]))
        flags = []
        for word in words:
            if word in ("-o", "-c", "-include"):  # what is precompiled stays out
                next(words)
            elif not flags and "ccache" in word:
                continue
            else:
                flags.append(word)
        found[layer(os.path.relpath(entry["file"], ROOT))] = flags
    return found


def closure(header, seen=None):
    """A header and everything of src/ that it includes, itself included."""
    seen = {header} if seen is None else seen
    for _, name, kind in includes(header):
        inner = SOURCE.relative_to(ROOT) / name
        if kind == "quoted" and inner not in seen and (ROOT / inner).is_file():
            seen.add(inner)
            closure(inner, seen)
    return seen


def fingerprint(header, flags):
    digest = hashlib.sha256(" ".join(flags).encode())
    for file in sorted(closure(header)):
        digest.update((ROOT / file).read_bytes())
    return digest.hexdigest()


def complaint(header, flags):
    """What the compiler says about a file that holds nothing but this include."""
    include = f'#include "{header.relative_to("src")}"\n'
    done = subprocess.run([*flags, "-fsyntax-only", "-x", "c++", "-"], input=include, text=True,
                          capture_output=True, cwd=ROOT / "build/release", timeout=120)
    return done.stderr if done.returncode else None


def is_first_in_its_source(header):
    source = header.with_suffix(".cc")
    if not (ROOT / source).exists():
        return False
    included = [name for _, name, _ in includes(source)]
    return included[:1] == [str(header.relative_to("src"))]


def test_every_header_compiles_alone():
    if not COMMANDS.exists():
        pytest.fail("build/release is not configured: run scripts/build")
    flags_of = compile_flags()
    headers = [file for file in cxx_files("src")
               if file.suffix == ".h" and not is_first_in_its_source(file)]
    seen = json.loads(SEEN.read_text()) if SEEN.exists() else {}
    wanted = {}
    for header in headers:
        flags = flags_of.get(layer(header)) or next(iter(flags_of.values()))
        wanted[header] = (flags, fingerprint(header, flags))
    fresh = [header for header in headers if seen.get(str(header)) != wanted[header][1]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = dict(zip(fresh, pool.map(lambda header: complaint(header, wanted[header][0]), fresh)))
    good = {str(header): wanted[header][1] for header in headers if not said.get(header)}
    SEEN.parent.mkdir(parents=True, exist_ok=True)
    SEEN.write_text(json.dumps(good, indent=1))
    complaints = [text for text in said.values() if text]
    assert not complaints, "\n" + "\n".join(complaints)
