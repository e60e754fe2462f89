// What the readout takes: the twin of readout_features.rs. One block a sample.
#include "ring_axis.cuh"

struct ReadoutFeaturesArguments {
    const float *state, *hidden; // [B,R,D], [B,D]
    const double *pointers;           // [T+1,B]
    float *features;                  // [B,D]
    unsigned *slots;                  // [B]
    int tokens, batch, ring_len, slot_dim, mode, padding;
};
ASSERT_SIZE(ReadoutFeaturesArguments, 64);
ASSERT_OFFSET(ReadoutFeaturesArguments, state, 0);
ASSERT_OFFSET(ReadoutFeaturesArguments, hidden, 8);
ASSERT_OFFSET(ReadoutFeaturesArguments, pointers, 16);
ASSERT_OFFSET(ReadoutFeaturesArguments, features, 24);
ASSERT_OFFSET(ReadoutFeaturesArguments, slots, 32);
ASSERT_OFFSET(ReadoutFeaturesArguments, tokens, 40);
ASSERT_OFFSET(ReadoutFeaturesArguments, batch, 44);
ASSERT_OFFSET(ReadoutFeaturesArguments, ring_len, 48);
ASSERT_OFFSET(ReadoutFeaturesArguments, slot_dim, 52);
ASSERT_OFFSET(ReadoutFeaturesArguments, mode, 56);
ASSERT_OFFSET(ReadoutFeaturesArguments, padding, 60);

template <class P> __device__ void readout_features(const ReadoutFeaturesArguments &p) {
    const int b = blockIdx.x, d = p.slot_dim;
    const RingAxis<P> axis = {p.ring_len, nullptr, nullptr};
    const int slot = axis.slot(p.pointers[(size_t)p.tokens * p.batch + b]);
    const Taps taps = axis.taps(p.pointers[(size_t)(p.tokens - 1) * p.batch + b]);
    const float *row = p.state + ((size_t)b * p.ring_len + slot) * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        const float h = p.hidden[(size_t)b * d + i];
        float f = row[i];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            if (taps.slots[j] == slot) f += taps.weights[j] * h;
        }
        p.features[(size_t)b * d + i] = round_to(p.mode, f + h);
    }
    if (threadIdx.x == 0) p.slots[b] = slot;
}
FOR_POINTERS(readout_features, , ReadoutFeaturesArguments)
