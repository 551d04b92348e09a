"""The environments of the frameworks Slipstream is measured beside, one each.

python benchmarks/peers.py          # makes what is missing in benchmarks/.environments
"""

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".environments"
PEERS: dict[str, list[str]] = {
    "tensorflow": ["tensorflow-cpu==2.21.0", "keras==3.15.1"],
    "torch": ["torch==2.13.0", "numpy"],
    "jax": ["jax==0.10.2", "keras==3.15.1"],
}


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment."""
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return ENVIRONMENTS / peer / folder / "python"


def install(peer: str) -> Path:
    """Make the environment of a peer, unless it is there whole."""
    stamp = ENVIRONMENTS / peer / "installed"
    wanted = "\n".join(PEERS[peer])
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {', '.join(PEERS[peer])}", flush=True)
        venv.create(ENVIRONMENTS / peer, with_pip=True, clear=True)
        pip = [str(python_of(peer)), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *PEERS[peer]], check=True)
        stamp.write_text(wanted)
    return python_of(peer)


if __name__ == "__main__":
    for name in sys.argv[1:] or PEERS:
        print(install(name))
