#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tools themselves: each must find what it exists to find. Every accepted case has its rejected twin."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.dirname(os.path.abspath(__file__))


class Tool(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)

    def path(self, name):
        return os.path.join(self.tmp.name, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def run_tool(self, name, *args):
        r = subprocess.run([sys.executable, os.path.join(TOOLS, name), *args], check=False, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return r.returncode, r.stdout


class SeccompGen(Tool):
    def gen(self, text, *args):
        src = self.write("x.c", text)
        return self.run_tool("seccomp-gen", "--profile", "x", "--header", self.path("x.h"), "--json",
                             self.path("x.json"), *args, src)

    def names(self):
        with open(self.path("x.json"), encoding="utf-8") as f:
            return [c["name"] for c in json.load(f)["calls"]]

    def test_collects_own_and_common_lines_and_no_others(self):
        code, out = self.gen("/* #syscalls:x read */\n/*\n * #syscalls:* write close\n"
                             " * #syscalls:y openat\n * #syscalls:y,x lseek */\n")
        self.assertEqual((code, out), (0, ""))
        self.assertEqual(self.names(), ["close", "lseek", "read", "write"])

    def test_compares_the_request_of_an_ioctl(self):
        code, _ = self.gen("/* #syscalls:x ioctl(KVM_RUN|FIONBIO) */\n/* #syscalls-include <linux/kvm.h> */\n")
        self.assertEqual(code, 0)
        with open(self.path("x.h"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("KVM_RUN", text)
        self.assertIn("#include <linux/kvm.h>", text)

    def test_refuses_an_ioctl_without_request(self):
        code, out = self.gen("/* #syscalls:x ioctl */")
        self.assertNotEqual(code, 0)
        self.assertIn("needs its constants", out)

    def test_refuses_exec_except_for_the_parent(self):
        self.assertNotEqual(self.gen("/* #syscalls:x execve */")[0], 0)
        self.assertEqual(self.gen("/* #syscalls:x execve */", "--parent")[0], 0)

    def test_refuses_a_call_declared_in_two_ways(self):
        code, out = self.gen("/* #syscalls:x fcntl(F_GETFL) */\n/* #syscalls:x fcntl */")
        self.assertNotEqual(code, 0)
        self.assertIn("two ways", out)

    def test_refuses_an_unreadable_word_and_a_misspelt_profile(self):
        self.assertNotEqual(self.gen("/* #syscalls:x read, write */")[0], 0)
        self.assertNotEqual(self.gen("/* #syscalls:z read */")[0], 0)


class IncludeCheck(Tool):
    def check(self, **files):
        for name, text in files.items():
            self.write("src/" + name.replace("__", "/").replace("_dot_", "."), text)
        self.write("src/base/fd.h", "#pragma once\n")
        self.write("src/crypto/key.h", "#pragma once\n")
        self.write("src/crypto/crypto_priv.h", "#pragma once\n")
        self.write("src/proto/control.h", "#pragma once\n#include \"base/fd.h\"\n")
        self.write("src/proto/vu_client.h", "#pragma once\n")
        self.write("src/proto/vu_server.h", "#pragma once\n")
        return self.run_tool("include-check", self.path("src"))

    def test_accepts_arrows_that_point_down(self):
        code, out = self.check(hypervisor__a_dot_c='#include "base/fd.h"\n#include "proto/vu_client.h"\n',
                               launcher__a_dot_c='#include "proto/control.h"\n#include <stdio.h>\n')
        self.assertEqual((code, out), (0, ""))

    def test_rejects_up_sideways_private_and_the_other_half(self):
        bad = {"base__a_dot_c": '#include "proto/control.h"\n', "hypervisor__a_dot_c": '#include "crypto/key.h"\n',
               "security__a_dot_c": '#include "crypto/crypto_priv.h"\n',
               "hypervisor__b_dot_c": '#include "proto/vu_server.h"\n',
               "launcher__a_dot_c": '#include "proto/vu_client.h"\n',
               "hypervisor__c_dot_c": "#include <openssl/evp.h>\n", "nowhere__a_dot_c": "\n"}
        code, out = self.check(**bad)
        self.assertNotEqual(code, 0)
        for name in bad:
            self.assertIn(name.replace("__", "/").replace("_dot_", "."), out)

    def test_rejects_a_header_that_needs_another_before_it(self):
        code, out = self.check(base__x_dot_h="#pragma once\nuint32_t f(void);\n")
        self.assertNotEqual(code, 0)
        self.assertIn("base/x.h does not compile alone", out)


class CheckSpec(Tool):
    def check(self, comment):
        self.write("docs/specs.md", "| tag | title |\n|---|---|\n| `nvme-1.4` | NVMe |\n")
        self.write("docs/wire/x.md", "x\n")
        self.write("src/a.c", f"/* spec: nvme-1.4 §4.2 */\n{comment}\n")
        return self.run_tool("check-spec", self.path("."))

    def test_accepts_a_tag_of_the_list_and_a_page_of_ours(self):
        self.assertEqual(self.check("/* spec: docs/wire/x.md */"), (0, ""))

    def test_rejects_an_unknown_tag_and_a_missing_page(self):
        self.assertNotEqual(self.check("/* spec: nvme-1.3 §4.2 */")[0], 0)
        self.assertNotEqual(self.check("/* spec: docs/wire/y.md */")[0], 0)
        self.assertNotEqual(self.check("/* spec: nvme-1.4 §4.2; spec: other-1 §1 */")[0], 0)

    def test_rejects_a_row_that_nothing_cites(self):
        self.check("")
        self.write("src/a.c", "\n")
        self.assertNotEqual(self.run_tool("check-spec", self.path("."))[0], 0)


class TestRunner(Tool):
    """With an empty meson project and system tests made of one-line scripts."""

    def run_tests(self, *args, **scripts):
        self.write("meson.build", "project('x')\n")
        if not os.path.isdir(self.path("build")):
            subprocess.run(["meson", "setup", self.path("build"), self.path(".")], check=True,
                           stdout=subprocess.DEVNULL)
        for name, text in scripts.items():
            self.write(f"tests/system/{name}.sh", "#!/bin/sh\n" + text, 0o755)
        code, out = self.run_tool("test-runner", "--build", self.path("build"), "--source", self.path("."),
                                  "--json", self.path("r.json"), *args)
        return code, out.splitlines()[-1], out

    def test_counts_and_ends_with_one_line(self):
        code, last, out = self.run_tests(a="echo ok one\necho '# retry boot'\necho skip two: no reason at all\n")
        self.assertEqual((code, last), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("retried 1 times", out)
        self.assertIn("no reason at all", out)

    def test_fails_with_the_test(self):
        code, last, out = self.run_tests(a="echo ok one; echo 'not ok two: broken'; exit 1\n")
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("two: broken", out)

    def test_fails_when_a_file_crashes_hangs_or_says_nothing(self):
        code, last, _ = self.run_tests(crash="echo ok one; kill -SEGV $$\n", quiet="exit 0\n",
                                       hang="# niter-test: timeout=1\nsleep 100\n")
        self.assertEqual((code, last), (1, "1 passed, 3 failed, 0 skipped"))

    def test_runs_deferred_files_only_with_all(self):
        scripts = {"slow": "# niter-test: deferred\necho ok slow\n"}
        self.assertEqual(self.run_tests(**scripts)[1], "0 passed, 0 failed, 1 skipped")
        self.assertEqual(self.run_tests("--all", **scripts)[1], "1 passed, 0 failed, 0 skipped")

    def test_fails_when_a_pattern_matches_nothing(self):
        self.assertEqual(self.run_tests("--only", "nosuch", a="echo ok one\n")[0], 1)


class Docs(unittest.TestCase):
    def test_the_control_page_names_every_message_with_its_number(self):
        top = os.path.dirname(TOOLS)
        with open(os.path.join(top, "src/proto/control.h"), encoding="utf-8") as f:
            messages = re.findall(r"\bCTL_([A-Z_]+) = 0x([0-9a-f]{4})", f.read())
        with open(os.path.join(top, "docs/wire/control.md"), encoding="utf-8") as f:
            page = f.read()
        self.assertGreater(len(messages), 30)
        for name, number in messages:
            self.assertIn(f"{number} {name}`", page)


if __name__ == "__main__":
    unittest.main()
