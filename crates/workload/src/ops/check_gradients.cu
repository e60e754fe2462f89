// Undoes the loss scale and finds what is not finite: the twin of check_gradients.rs.
#include "numeric.cuh"

struct CheckGradientsArguments {
    float *grads;
    unsigned *found; // NaN, infinite
    const float *scale;
    long long len;
};
ASSERT_SIZE(CheckGradientsArguments, 32);
ASSERT_OFFSET(CheckGradientsArguments, grads, 0);
ASSERT_OFFSET(CheckGradientsArguments, found, 8);
ASSERT_OFFSET(CheckGradientsArguments, scale, 16);
ASSERT_OFFSET(CheckGradientsArguments, len, 24);

extern "C" __global__ void check_gradients(const __grid_constant__ CheckGradientsArguments p) {
    bool nan = false, inf = false;
    const float unscale = 1.0f / *p.scale;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < p.len;
         i += (long long)gridDim.x * blockDim.x) {
        const float g = p.grads[i];
        nan |= isnan(g);
        inf |= isinf(g);
        p.grads[i] = g * unscale;
    }
    if (nan) atomicOr(&p.found[0], 1u);
    if (inf) atomicOr(&p.found[1], 1u);
}
