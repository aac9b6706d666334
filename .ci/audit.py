"""Known vulnerabilities of the packages in a folder, by pip-audit: fails when there are any, or when it fails itself.

Where its database cannot be reached it says SKIPPED and ends well: what cannot be known here is no fault of the change.

    python3 .ci/audit.py PIP_AUDIT SITE_PACKAGES
"""

import json
import subprocess
import sys
from typing import Any

UNREACHABLE = (
    "Connection",
    "Max retries",
    "Name or service not known",
    "timed out",
    "Timeout",
    "blocking this service",
)
CAUTION = "Nothing is known of the dependencies."


def audit(program: str, folder: str) -> int:
    """Run pip-audit over a folder of installed packages, and tell what it found; returns the exit code."""
    command = [program, "--format", "json", "--progress-spinner", "off", "--path", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except FileNotFoundError:
        print(f"SKIPPED: the audit of dependencies. There is no {program}. {CAUTION}")
        return 0
    except subprocess.TimeoutExpired:
        print(f"SKIPPED: the audit of dependencies. pip-audit had no answer within 10 minutes. {CAUTION}")
        return 0
    packages = packages_of(done.stdout)
    if packages is not None:
        return judge(packages)
    last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
    if any(sign in done.stderr for sign in UNREACHABLE):
        print(f"SKIPPED: the audit of dependencies. pip-audit's database cannot be reached: {last[:200]} {CAUTION}")
        return 0
    print(f"pip-audit failed: {last}", file=sys.stderr)
    return done.returncode or 1


def packages_of(text: str) -> list[dict[str, Any]] | None:
    """What pip-audit found of each package; None where it found nothing out."""
    try:
        found = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return list(found)


def judge(packages: list[dict[str, Any]]) -> int:
    """Tell of each vulnerability; 1 when there is one. Where nothing is known of any package, that is said."""
    known = [package for package in packages if "skip_reason" not in package]
    if packages and not known:
        print(f"SKIPPED: the audit of dependencies. The database knows none of {len(packages)} packages. {CAUTION}")
        return 0
    bad = [(package, found) for package in known for found in package["vulns"]]
    for package, found in bad:
        mended = ", ".join(found.get("fix_versions", [])) or "none yet"
        print(f"{package['name']} {package['version']} has {found['id']}; mended in: {mended}", file=sys.stderr)
    print(f"{len(known)} packages are audited, {len(packages) - len(known)} are unknown: {len(bad)} vulnerabilities.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(audit(*sys.argv[1:3]))
