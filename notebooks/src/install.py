import importlib.util
import subprocess
import sys
from importlib import metadata
from pathlib import Path

here = [Path.cwd(), *Path.cwd().parents]
clone = next((folder for folder in here if (folder / "vdjax" / "__init__.py").exists()), None)
if importlib.util.find_spec("vdjax"):
    print("vdjax is installed: nothing to do")
elif clone:
    sys.path.insert(0, str(clone))
    print("vdjax comes from this clone")
else:
    # What the machine has of these stays exactly as it is.
    held = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    kept = ("jax", "jaxlib", "flax", "numpy", "ipython", "ipykernel", "ipywidgets", "matplotlib")
    pins = [f"{name}=={held[name]}" for name in kept if name in held]
    wanted = ["vdjax @ {{SOURCE}}", "ipywidgets", "matplotlib", "mediapy"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *wanted, *pins]
    if subprocess.run(pip, check=False).returncode:
        print("vdjax could not be installed; without a network, open this notebook by `make lab`")
