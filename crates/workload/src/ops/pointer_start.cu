// Pointers before token 0: the twin of pointer_start.rs. One thread a sample.
#include "ring_axis.cuh"

struct PointerStartArguments {
    const double *units;
    double *pointers, *carry; // [B], [B,2]
    int ring_len, batch;
};
ASSERT_SIZE(PointerStartArguments, 32);
ASSERT_OFFSET(PointerStartArguments, units, 0);
ASSERT_OFFSET(PointerStartArguments, pointers, 8);
ASSERT_OFFSET(PointerStartArguments, carry, 16);
ASSERT_OFFSET(PointerStartArguments, ring_len, 24);
ASSERT_OFFSET(PointerStartArguments, batch, 28);

template <class P> __device__ void pointer_start(const PointerStartArguments &p) {
    const int b = blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= p.batch) return;
    const RingAxis<P> axis = {p.ring_len, nullptr, nullptr};
    const State s = axis.start(p.units[b]);
    p.pointers[b] = s.p;
    p.carry[2 * b] = s.anchor;
    p.carry[2 * b + 1] = s.residual;
}
FOR_POINTERS(pointer_start, , PointerStartArguments)
