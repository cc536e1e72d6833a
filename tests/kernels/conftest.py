"""Without a GPU our Triton kernels run in Triton's interpreter, which must be chosen before Triton is imported."""

from __future__ import annotations

import os

try:
    import torch
except ImportError:
    pass
else:
    if not torch.cuda.is_available():
        os.environ.setdefault("TRITON_INTERPRET", "1")
