// Adam, the loss scale and the check before them: the twin of adam.rs, where the equations are.
//
// Nothing here goes through the host: whether a gradient is finite, how often a parameter was
// updated and what the loss is scaled with stay on the device.
#include "numeric.cuh"

// `found[0]`: some gradient is NaN; `found[1]`: some is infinite.
extern "C" __global__ void check(const float *grads, unsigned *found, long long len) {
    bool nan = false, inf = false;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < len;
         i += (long long)gridDim.x * blockDim.x) {
        nan |= isnan(grads[i]);
        inf |= isinf(grads[i]);
    }
    if (nan) atomicOr(&found[0], 1u);
    if (inf) atomicOr(&found[1], 1u);
}

// Which groups of parameters this step's backward reaches: 0 is what every step reaches, 1 + e is
// expert e. One block.
extern "C" __global__ void reach(const unsigned *slots, unsigned *reached, int batch, int experts) {
    for (int e = threadIdx.x; e < experts; e += blockDim.x) {
        unsigned any = 0;
        for (int b = 0; b < batch; b++) any |= slots[b] % experts == e;
        reached[1 + e] = any;
    }
    if (threadIdx.x == 0) reached[0] = 1;
}

// Counts the update of every group that is reached, if the gradients are finite; `scale` is the
// loss scale and the number of good steps in a row, `unscale` gets what undoes it. One block.
extern "C" __global__ void prepare(const unsigned *found, const unsigned *reached, int *counts,
                                   float *scale, float *unscale, int groups, int dynamic,
                                   int interval) {
    const bool finite = !(found[0] | found[1]);
    for (int i = threadIdx.x; i < groups; i += blockDim.x) counts[i] += finite ? reached[i] : 0;
    if (threadIdx.x != 0) return;
    *unscale = 1.0f / scale[0];
    if (!dynamic) return;
    if (!finite) {
        scale[0] /= 2.0f;
        scale[1] = 0.0f;
    } else if (++scale[1] == (float)interval) {
        scale[0] *= 2.0f;
        scale[1] = 0.0f;
    }
}

// One thread an element. Elements [idle, idle_end) have no gradient; from `experts_at` on, each
// expert has `expert_len`.
extern "C" __global__ void adam(float *weights, float *first, float *second, const float *grads,
                                const unsigned *found, const unsigned *reached, const int *counts,
                                const float *unscale, double lr, long long idle,
                                long long idle_end, long long experts_at, long long expert_len,
                                long long len) {
    const float BETA1 = 0.9f, BETA2 = 0.999f, EPS = 1e-8f;
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= len || (i >= idle && i < idle_end) || found[0] || found[1]) return;
    const int group = i < experts_at ? 0 : 1 + (int)((i - experts_at) / expert_len);
    if (!reached[group]) return;
    const double n = counts[group];
    const float step = (float)(lr / (1.0 - pow((double)BETA1, n)));
    const float root = (float)sqrt(1.0 - pow((double)BETA2, n));
    const float g = grads[i] * *unscale;
    const float m = first[i] = BETA1 * first[i] + (1.0f - BETA1) * g;
    const float v = second[i] = BETA2 * second[i] + (1.0f - BETA2) * g * g;
    weights[i] -= step * m / (sqrtf(v) / root + EPS);
}

// The weights in the mode's numbers.
extern "C" __global__ void cast_fp16(const float *from, __half *to, long long len) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < len) to[i] = __float2half_rn(from[i]);
}
extern "C" __global__ void cast_bf16(const float *from, __nv_bfloat16 *to, long long len) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < len) to[i] = __float2bfloat16_rn(from[i]);
}

// Operands of products, rounded in place.
extern "C" __global__ void round_all(float *values, long long len, int mode) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < len) values[i] = round_to(mode, values[i]);
}
