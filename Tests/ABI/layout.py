#!/usr/bin/env python3
"""Prints the binary layout that a set of AMQP headers declares, as layout.inc wants it.

  layout.py INCLUDE_DIRECTORY > layout.inc

It was run on the headers of the reference (API level 0.11); what later levels add is in layout-later.inc, by hand. It needs clang,
which lists the structs, and a C compiler, which says how large they are: only to make the list anew, not to test with it.
"""
import json
import subprocess
import sys
import tempfile

HEADERS = ["amqp.h", "amqp_framing.h", "amqp_tcp_socket.h", "amqp_ssl_socket.h"]
INCLUDES = "".join(f"#include <{header}>\n" for header in HEADERS)


def run(*command, text=""):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def fields(record, records, prefix=""):
    """Every named field with its path; those of unnamed unions and structs inside, too."""
    for inner in record.get("inner", []):
        if inner["kind"] != "FieldDecl" or "name" not in inner:
            continue
        path = prefix + inner["name"]
        yield path
        nested = records.get(inner["type"].get("qualType", ""))
        if nested is None and "unnamed" in inner["type"]["qualType"]:
            nested = preceding(record, inner)
        if nested is not None and nested.get("unnamed"):
            yield from fields(nested, records, path + ".")


def preceding(record, field):
    found = None
    for inner in record["inner"]:
        if inner is field:
            return found
        if inner["kind"] == "RecordDecl":
            found = dict(inner, unnamed=True)
    return None


def main(directory):
    tree = json.loads(run("clang", "-I", directory, "-x", "c", "-Xclang", "-ast-dump=json", "-fsyntax-only", "-", text=INCLUDES))
    lines, structs, values, records = [], [], [], {}
    for node in tree["inner"]:
        if node["kind"] == "TypedefDecl" and node.get("name", "").startswith("amqp_"):
            structs.append((node["name"], node))
        if node["kind"] == "RecordDecl" and node.get("name", "").startswith("amqp_") and node.get("completeDefinition"):
            records[node["name"]] = node
        if node["kind"] == "EnumDecl":
            values += [constant["name"] for constant in node["inner"] if constant["kind"] == "EnumConstantDecl"]
    for line in run("cc", "-I", directory, "-dM", "-E", "-x", "c", "-", text=INCLUDES).splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[1].startswith("AMQP_") and "(" not in words[1] and '"' not in words[2]:
            values.append(words[1])
    skipped = ("AMQP_VERSION", "_AMQP_STATUS_SSL_NEXT_VALUE", "AMQP_EMPTY_", "AMQP_CALL", "AMQP_PUBLIC", "AMQP_BEGIN", "AMQP_END", "AMQP_EXPORT", "AMQP_NO_EXPORT",
               "AMQP_DEPRECATED", "AMQP_FRAMING_H", "AMQP_H")
    values = sorted({value for value in values if not value.startswith(skipped)})
    for name, record in sorted(records.items()):
        typedef = name[:-1] if name.endswith("_t_") else "struct " + name
        if name.endswith("_enum_"):
            continue
        lines.append(f'printf("SIZE({typedef}, %d)\\n", (int)sizeof({typedef}));')
        for path in fields(record, records):
            lines.append(f'printf("FIELD({typedef}, {path}, %d, %d)\\n", (int)offsetof({typedef}, {path}), '
                         f"(int)sizeof((({typedef} *)0)->{path}));")
    lines += [f'printf("VALUE({value}, %lldLL)\\n", (long long)({value}));' for value in values]
    program = INCLUDES + "#include <stdio.h>\nint main(void) {" + "\n".join(lines) + "return 0; }"
    with tempfile.TemporaryDirectory() as scratch:
        run("cc", "-w", "-I", directory, "-x", "c", "-o", scratch + "/layout", "-", text=program)
        print(run(scratch + "/layout"), end="")


main(sys.argv[1])
