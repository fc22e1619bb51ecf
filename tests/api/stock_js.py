#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same day with the JavaScript SDK: stock_js.mjs in a node with the packages of package-lock.json."""
# niter-test: timeout=300
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api

modules = os.environ.get("NITER_NODE_MODULES", "")
if not shutil.which("node") or not os.path.isdir(os.path.join(modules, "node_modules")):
    api.skip("stock_js", "node or the SDK's packages are missing: ./run test fetches them from npm")
    sys.exit(0)

server = api.Server()
env = dict(server.environment(), NITER_NODE_MODULES=modules, NITER_URL=server.url, NITER_TLS_URL=server.tls, NITER_CA=server.ca,
           NITER_ACCOUNT=api.ACCOUNT, NITER_ZONE=api.ZONE, AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE="1")
# Its lines are verdicts; what it says besides them goes to the log.
code = subprocess.run(["node", "--no-deprecation", os.path.join(os.path.dirname(os.path.abspath(__file__)), "stock_js.mjs")], env=env, check=False).returncode
problems = server.relay.take_problems()
if problems:
    api.not_ok("answers__are_as_the_model_says", "; ".join(problems[:5]))
else:
    api.ok("answers__are_as_the_model_says")
server.close()
sys.exit(1 if code or problems else 0)
