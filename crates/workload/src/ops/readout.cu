// Logits, losses and their mean: the twin of readout.rs.
#include "readout.cuh"

struct ReadoutArguments {
    const void *const *weights; // [E,2]
    const float *features;      // [B,D]
    const unsigned *slots, *labels;
    float *logits, *losses; // [B,C], [B]
    int heads, slot_dim;
};
ASSERT_SIZE(ReadoutArguments, 56);
ASSERT_OFFSET(ReadoutArguments, weights, 0);
ASSERT_OFFSET(ReadoutArguments, features, 8);
ASSERT_OFFSET(ReadoutArguments, slots, 16);
ASSERT_OFFSET(ReadoutArguments, labels, 24);
ASSERT_OFFSET(ReadoutArguments, logits, 32);
ASSERT_OFFSET(ReadoutArguments, losses, 40);
ASSERT_OFFSET(ReadoutArguments, heads, 48);
ASSERT_OFFSET(ReadoutArguments, slot_dim, 52);

// One block a sample.
template <class W> __device__ void readout(const ReadoutArguments &p) {
    const int b = blockIdx.x, lane = threadIdx.x % 32, d = p.slot_dim;
    const int head = p.slots[b] % p.heads;
    const W *weight = head_weight<W>(p.weights, head), *bias = head_bias<W>(p.weights, head);
    const float *x = p.features + (size_t)b * d;
    constexpr int WARPS = READOUT_THREADS / 32, EACH = 4; // classes of a warp, whose loads are in flight at once
    for (int first = threadIdx.x / 32; first < CLASSES; first += WARPS * EACH) {
        float sum[EACH] = {};
#pragma unroll 8
        for (int i = lane; i < d; i += 32) {
#pragma unroll
            for (int e = 0; e < EACH; e++)
                sum[e] += value(weight[(size_t)(first + e * WARPS) * d + i]) * x[i];
        }
#pragma unroll
        for (int e = 0; e < EACH; e++) {
            const int c = first + e * WARPS;
#pragma unroll
            for (int offset = 16; offset > 0; offset /= 2)
                sum[e] += __shfl_xor_sync(0xffffffffu, sum[e], offset);
            if (lane == 0) p.logits[(size_t)b * CLASSES + c] = sum[e] + value(bias[c]);
        }
    }
    __syncthreads();
    if (threadIdx.x >= CLASSES) return;
    const float mine = p.logits[(size_t)b * CLASSES + threadIdx.x];
    const float total = log_sum_exp(mine);
    if (threadIdx.x == p.labels[b]) p.losses[b] = total - mine;
}
FOR_WEIGHTS(readout, __launch_bounds__(READOUT_THREADS), ReadoutArguments)

struct MeansArguments {
    const float *losses; // [B]
    const double *moved; // [B]
    float *loss;
    double *move_penalty;
    int batch, tokens;
};
ASSERT_SIZE(MeansArguments, 40);
ASSERT_OFFSET(MeansArguments, losses, 0);
ASSERT_OFFSET(MeansArguments, moved, 8);
ASSERT_OFFSET(MeansArguments, loss, 16);
ASSERT_OFFSET(MeansArguments, move_penalty, 24);
ASSERT_OFFSET(MeansArguments, batch, 32);
ASSERT_OFFSET(MeansArguments, tokens, 36);

// One thread: samples are summed in their order.
extern "C" __global__ void means(const __grid_constant__ MeansArguments p) {
    double loss = 0, distance = 0;
    for (int b = 0; b < p.batch; b++) {
        loss += p.losses[b];
        distance += p.moved[b];
    }
    *p.loss = (float)(loss / p.batch);
    *p.move_penalty = distance / ((double)p.batch * p.tokens);
}
