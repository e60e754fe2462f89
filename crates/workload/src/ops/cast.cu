// The weights in the mode's numbers: the twin of cast.rs. One thread an element.
#include "places.cuh"

struct CastArguments {
    const Place *places;
    void *to; // half numbers in the flat order
    long long len;
    int tensors, bf16;
};
ASSERT_SIZE(CastArguments, 32);
ASSERT_OFFSET(CastArguments, places, 0);
ASSERT_OFFSET(CastArguments, to, 8);
ASSERT_OFFSET(CastArguments, len, 16);
ASSERT_OFFSET(CastArguments, tensors, 24);
ASSERT_OFFSET(CastArguments, bf16, 28);

extern "C" __global__ void cast_weights(const __grid_constant__ CastArguments p) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= p.len) return;
    const int at = place_of(p.places, p.tensors, i);
    const float weight = p.places[at].weight[offset_in(p.places, at, i)];
    if (p.bf16)
        ((__nv_bfloat16 *)p.to)[i] = __float2bfloat16_rn(weight);
    else
        ((__half *)p.to)[i] = __float2half_rn(weight);
}
