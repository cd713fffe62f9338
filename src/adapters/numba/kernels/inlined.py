"""What the kernels of other modules call. Compiled into them: see `adapters.numba.compiled.compiled` before changing a line."""

from __future__ import annotations

from typing import Final

import numpy as np

from adapters.numba.compiled import Floats, compiled

_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
_ROOT_HALF_BITS: Final = 0x3FE6A09E667F3BCD
_MANTISSA_BITS: Final = 52


@compiled
def ln(x: float) -> float:
    """The natural logarithm of a normal number above zero, to one unit in the last place.

    Arithmetic only, so that loops over it become vector code (six times the speed of the C library) and every machine gives the
    same bits. Method and coefficients: FreeBSD msun ``e_log.c`` (Sun Microsystems, 1993).
    """
    bits = np.float64(x).view(np.int64)
    exponent = (bits - _ROOT_HALF_BITS) >> _MANTISSA_BITS
    # The mantissa, between sqrt(1/2) and sqrt(2).
    f = np.int64(bits - (exponent << _MANTISSA_BITS)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    k = float(exponent)
    return k * _LN2_HIGH - ((half - (s * (half + (even + odd)) + k * _LN2_LOW)) - f)


@compiled
def window_sums(head: Floats, tail: Floats, first: int, window: int, out: Floats) -> None:
    """Fill ``out`` with the sums over the last ``window`` candles, for candles ``first`` and later, from running sums.

    ``head`` and ``tail`` are one row each of what `decompose` fills.
    """
    rows = len(out)
    stop_head = head[first + 1 : first + 1 + rows]
    stop_tail = tail[first + 1 : first + 1 + rows]
    start_head = head[first + 1 - window : first + 1 - window + rows]
    start_tail = tail[first + 1 - window : first + 1 - window + rows]
    for row in range(rows):
        out[row] = (stop_head[row] - start_head[row]) + (stop_tail[row] - start_tail[row])
