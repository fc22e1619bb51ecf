#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# niter-test: deferred
# niter-test: timeout=3600
"""How often does the simulated server itself fail to come up? NITER_BOOTS boots (default 100), every one counted.

A boot counts as failed when niterd did not answer at the first try; `niter host start` tries again by itself, and here
nothing hides that.
"""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import lab

boots = int(os.environ.get("NITER_BOOTS", "100"))
server = lab.Lab("boots", golden=False)
retries = 0
seconds = []
for n in range(boots):
    began = time.monotonic()
    retries += server.start(snapshot=False)["boot_retries"]
    seconds.append(time.monotonic() - began)
    server.stop()
print(f"# {boots} boots, {retries} tried again, median {statistics.median(seconds):.1f} s, "
      f"slowest {max(seconds):.1f} s", flush=True)
lab.check("server__comes_up_at_the_first_try_99_times_in_100", retries <= max(1, boots // 100), f"{retries} of {boots}")
lab.finish()
