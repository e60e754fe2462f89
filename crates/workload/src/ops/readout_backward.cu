// Gradients of the readout: the twin of readout_backward.rs.
#include "readout.cuh"

struct ReadoutBackwardArguments {
    const void *const *weights; // [E,2]
    const float *logits;        // [B,C]
    const unsigned *slots, *labels;
    const float *scale;  // the loss scale
    float *d_logits;     // [B,C]
    float *d_hidden;     // [B,D]
    float *d_ring;       // [B,R,D], the rows that were read out
    int heads, batch, ring_len, slot_dim, mode, padding;
};
ASSERT_SIZE(ReadoutBackwardArguments, 88);
ASSERT_OFFSET(ReadoutBackwardArguments, weights, 0);
ASSERT_OFFSET(ReadoutBackwardArguments, logits, 8);
ASSERT_OFFSET(ReadoutBackwardArguments, slots, 16);
ASSERT_OFFSET(ReadoutBackwardArguments, labels, 24);
ASSERT_OFFSET(ReadoutBackwardArguments, scale, 32);
ASSERT_OFFSET(ReadoutBackwardArguments, d_logits, 40);
ASSERT_OFFSET(ReadoutBackwardArguments, d_hidden, 48);
ASSERT_OFFSET(ReadoutBackwardArguments, d_ring, 56);
ASSERT_OFFSET(ReadoutBackwardArguments, heads, 64);
ASSERT_OFFSET(ReadoutBackwardArguments, batch, 68);
ASSERT_OFFSET(ReadoutBackwardArguments, ring_len, 72);
ASSERT_OFFSET(ReadoutBackwardArguments, slot_dim, 76);
ASSERT_OFFSET(ReadoutBackwardArguments, mode, 80);
ASSERT_OFFSET(ReadoutBackwardArguments, padding, 84);

// One block a sample.
template <class W> __device__ void readout_backward(const ReadoutBackwardArguments &p) {
    const int b = blockIdx.x, d = p.slot_dim;
    const W *weight = head_weight<W>(p.weights, p.slots[b] % p.heads);
    __shared__ float d_logits[CLASSES];
    if (threadIdx.x < CLASSES) {
        const size_t at = (size_t)b * CLASSES + threadIdx.x;
        const float mine = p.logits[at];
        const float hit = threadIdx.x == p.labels[b] ? 1.0f : 0.0f;
        const float g = (expf(mine - log_sum_exp(mine)) - hit) * (*p.scale / (float)p.batch);
        d_logits[threadIdx.x] = p.d_logits[at] = round_to(p.mode, g);
    }
    __syncthreads();
    float *row = p.d_ring + ((size_t)b * p.ring_len + p.slots[b]) * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        float sum = 0.0f;
#pragma unroll 32
        for (int c = 0; c < CLASSES; c++) sum += d_logits[c] * value(weight[(size_t)c * d + i]);
        p.d_hidden[(size_t)b * d + i] = sum;
        row[i] += sum;
    }
}
FOR_WEIGHTS(readout_backward, __launch_bounds__(READOUT_THREADS), ReadoutBackwardArguments)

struct ReadoutWeightGradientsArguments {
    const float *d_logits, *features; // [B,C], [B,D]
    const unsigned *slots;
    float *grads; // of each head, [C,D] and [C]
    int heads, batch, slot_dim, padding;
};
ASSERT_SIZE(ReadoutWeightGradientsArguments, 48);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, d_logits, 0);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, features, 8);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, slots, 16);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, grads, 24);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, heads, 32);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, batch, 36);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, slot_dim, 40);
ASSERT_OFFSET(ReadoutWeightGradientsArguments, padding, 44);

// One block a class, samples in their order.
extern "C" __global__ void
readout_weight_gradients(const __grid_constant__ ReadoutWeightGradientsArguments p) {
    const int c = blockIdx.x, d = p.slot_dim;
    for (int i = threadIdx.x; i <= d; i += blockDim.x) { // one past the row: the bias
        for (int b = 0; b < p.batch; b++) {
            float *head = p.grads + (size_t)(p.slots[b] % p.heads) * CLASSES * (d + 1);
            const float g = p.d_logits[(size_t)b * CLASSES + c];
            if (i < d)
                head[(size_t)c * d + i] += g * p.features[(size_t)b * d + i];
            else
                head[(size_t)CLASSES * d + c] += g;
        }
    }
}

struct MarkReachedArguments {
    const unsigned *slots; // [B]
    unsigned *reached;     // [E,2]
    int heads, batch;
};
ASSERT_SIZE(MarkReachedArguments, 24);
ASSERT_OFFSET(MarkReachedArguments, slots, 0);
ASSERT_OFFSET(MarkReachedArguments, reached, 8);
ASSERT_OFFSET(MarkReachedArguments, heads, 16);
ASSERT_OFFSET(MarkReachedArguments, batch, 20);

// One block.
extern "C" __global__ void mark_reached(const __grid_constant__ MarkReachedArguments p) {
    for (int e = threadIdx.x; e < p.heads; e += blockDim.x) {
        unsigned any = 0;
        for (int b = 0; b < p.batch; b++) any |= p.slots[b] % p.heads == e;
        p.reached[2 * e] = p.reached[2 * e + 1] = any;
    }
}
