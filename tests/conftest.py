"""Four simulated CPU devices for every test, and quick compiling; must be set before jax starts.

Compiling is most of what the tests cost, so LLVM optimises nothing: tests take half the time.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=4",
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    ]
)
