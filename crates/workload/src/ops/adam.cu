// Adam: the twin of adam.rs, where the equations are.
//
// Nothing here goes through the host: whether a gradient is finite, which parameters were reached
// and how often each was updated stay on the card.
#include "places.cuh"

struct AdamArguments {
    const Place *places;
    float *first, *second;    // [P], in the flat order
    unsigned *counts;         // [N]
    const unsigned *found;    // NaN, infinite; null where not known
    const unsigned *reached;  // [N]; null where every gradient is one
    double lr;
    long long len;
    int tensors, padding;
};
ASSERT_SIZE(AdamArguments, 72);
ASSERT_OFFSET(AdamArguments, places, 0);
ASSERT_OFFSET(AdamArguments, first, 8);
ASSERT_OFFSET(AdamArguments, second, 16);
ASSERT_OFFSET(AdamArguments, counts, 24);
ASSERT_OFFSET(AdamArguments, found, 32);
ASSERT_OFFSET(AdamArguments, reached, 40);
ASSERT_OFFSET(AdamArguments, lr, 48);
ASSERT_OFFSET(AdamArguments, len, 56);
ASSERT_OFFSET(AdamArguments, tensors, 64);
ASSERT_OFFSET(AdamArguments, padding, 68);

__device__ inline bool updated(const AdamArguments &p, int at) {
    if (p.found && (p.found[0] | p.found[1])) return false;
    return p.places[at].gradient && (!p.reached || p.reached[at]);
}

// One thread a parameter.
extern "C" __global__ void count_updates(const __grid_constant__ AdamArguments p) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < p.tensors && updated(p, at)) p.counts[at] += 1;
}

// Elements of a thread: what only depends on the tensor is computed once for those of one.
constexpr int ADAM_EACH = 8;

extern "C" __global__ void adam(const __grid_constant__ AdamArguments p) {
    const float BETA1 = 0.9f, BETA2 = 0.999f, EPS = 1e-8f;
    const long long first = blockIdx.x * (long long)blockDim.x * ADAM_EACH + threadIdx.x;
    int known = -1;
    float step = 0.0f, root = 0.0f;
#pragma unroll 1
    for (int e = 0; e < ADAM_EACH; e++) {
        const long long i = first + e * blockDim.x;
        if (i >= p.len) return;
        const int at = place_of(p.places, p.tensors, i);
        if (!updated(p, at)) continue;
        const unsigned long long offset = offset_in(p.places, at, i);
        if (at != known) {
            const double n = p.counts[at];
            step = (float)(p.lr / (1.0 - pow((double)BETA1, n)));
            root = (float)sqrt(1.0 - pow((double)BETA2, n));
            known = at;
        }
        const float g = p.places[at].gradient[offset];
        const float m = p.first[i] = BETA1 * p.first[i] + (1.0f - BETA1) * g;
        const float v = p.second[i] = BETA2 * p.second[i] + (1.0f - BETA2) * g * g;
        p.places[at].weight[offset] -= step * m / (sqrtf(v) / root + EPS);
    }
}
