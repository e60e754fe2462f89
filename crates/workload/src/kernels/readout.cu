// Readout, cross-entropy and their gradients: the twin of readout.rs, where the equations are.
#include "pointer.cuh"

namespace {
constexpr int CLASSES = 256; // one thread a class

// log(sum(exp(v))) over the block's 256 values.
__device__ inline float log_sum_exp(float v) {
    __shared__ float shared[CLASSES];
    shared[threadIdx.x] = v;
    __syncthreads();
    float top = shared[0];
    for (int i = 1; i < CLASSES; i++) top = fmaxf(top, shared[i]);
    float sum[1] = {expf(v - top)};
    block_sum(sum);
    return top + logf(sum[0]);
}
} // namespace

// The last slot's row after the last write, and the last hidden state: one block a sample.
template <class P>
__device__ void gather(const float *last_state, const float *hidden, const double *pointers,
                       float *features, unsigned *slots, int tokens, int batch, int ring_len,
                       int d, int mode) {
    const int b = blockIdx.x;
    const Circle<P> circle = {ring_len, nullptr, nullptr};
    const int slot = circle.slot(pointers[(size_t)tokens * batch + b]);
    const Taps taps = circle.taps(pointers[(size_t)(tokens - 1) * batch + b]);
    const float *row = last_state + ((size_t)b * ring_len + slot) * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        const float h = hidden[(size_t)b * d + i];
        float f = row[i];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            if (taps.slots[j] == slot) f += taps.weights[j] * h;
        }
        features[(size_t)b * d + i] = round_to(mode, f + h);
    }
    if (threadIdx.x == 0) slots[b] = slot;
}
#define GATHER(NAME, P)                                                                           \
    extern "C" __global__ void NAME(const float *last_state, const float *hidden,                 \
                                    const double *pointers, float *features, unsigned *slots,     \
                                    int tokens, int batch, int ring_len, int d, int mode) {       \
        gather<P>(last_state, hidden, pointers, features, slots, tokens, batch, ring_len, d,      \
                  mode);                                                                          \
    }
GATHER(gather_fp64, double)
GATHER(gather_fp32, float)

// Logits of a sample through its expert, and its loss. `weights` are the experts' [C,D] weights
// and [C] biases, one after the other. One block a sample, block 256.
template <class W>
__device__ void readout(const float *features, const W *weights, const unsigned *slots,
                        const unsigned *labels, float *logits, float *losses, int experts, int d) {
    const int b = blockIdx.x, lane = threadIdx.x % 32;
    const W *weight = weights + (size_t)(slots[b] % experts) * CLASSES * (d + 1);
    const W *bias = weight + (size_t)CLASSES * d;
    const float *x = features + (size_t)b * d;
    for (int c = threadIdx.x / 32; c < CLASSES; c += 8) {
        float sum = 0.0f;
        for (int i = lane; i < d; i += 32) sum += value(weight[(size_t)c * d + i]) * x[i];
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        if (lane == 0) logits[(size_t)b * CLASSES + c] = sum + value(bias[c]);
    }
    __syncthreads();
    const float mine = logits[(size_t)b * CLASSES + threadIdx.x];
    const float total = log_sum_exp(mine);
    if (threadIdx.x == labels[b]) losses[b] = total - mine;
}
#define READOUT_PARAMS(W)                                                                         \
    (const float *features, const W *weights, const unsigned *slots, const unsigned *labels,     \
     float *logits, float *losses, int experts, int d)
FOR_WEIGHTS(readout, __launch_bounds__(256), READOUT_PARAMS,
            (features, weights, slots, labels, logits, losses, experts, d))

// One thread: the mean loss, and the mean distance moved per token.
extern "C" __global__ void results(const float *losses, const double *moved, double *results,
                                   int batch, int tokens) {
    double loss = 0, distance = 0;
    for (int b = 0; b < batch; b++) {
        loss += losses[b];
        distance += moved[b];
    }
    results[0] = loss / batch;
    results[1] = distance / ((double)batch * tokens);
}

// Gradients of a sample's logits (in their place), of its features, and of the ring's row that was
// read out. One block a sample, block 256.
template <class W>
__device__ void readout_backward(float *logits, const W *weights, const unsigned *slots,
                                 const unsigned *labels, const float *scale, float *d_hidden,
                                 float *d_ring, int experts, int batch, int ring_len, int d,
                                 int mode) {
    const int b = blockIdx.x;
    const W *weight = weights + (size_t)(slots[b] % experts) * CLASSES * (d + 1);
    __shared__ float d_logits[CLASSES];
    const float mine = logits[(size_t)b * CLASSES + threadIdx.x];
    const float hit = threadIdx.x == labels[b] ? 1.0f : 0.0f;
    const float g = (expf(mine - log_sum_exp(mine)) - hit) * (*scale / (float)batch);
    d_logits[threadIdx.x] = logits[(size_t)b * CLASSES + threadIdx.x] = round_to(mode, g);
    __syncthreads();
    float *row = d_ring + ((size_t)b * ring_len + slots[b]) * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        float sum = 0.0f;
#pragma unroll 8
        for (int c = 0; c < CLASSES; c++) sum += d_logits[c] * value(weight[(size_t)c * d + i]);
        d_hidden[(size_t)b * d + i] = sum;
        row[i] += sum;
    }
}
#define READOUT_BACKWARD_PARAMS(W)                                                                \
    (float *logits, const W *weights, const unsigned *slots, const unsigned *labels,              \
     const float *scale, float *d_hidden, float *d_ring, int experts, int batch, int ring_len,    \
     int d, int mode)
FOR_WEIGHTS(readout_backward, __launch_bounds__(256), READOUT_BACKWARD_PARAMS,
            (logits, weights, slots, labels, scale, d_hidden, d_ring, experts, batch, ring_len, d,
             mode))

// Gradients of the experts' weights and biases: one block a class, samples in their order.
extern "C" __global__ void readout_weights(const float *d_logits, const float *features,
                                           const unsigned *slots, float *grads, int experts,
                                           int batch, int d) {
    const int c = blockIdx.x;
    for (int i = threadIdx.x; i <= d; i += blockDim.x) { // one past the row: the bias
        for (int b = 0; b < batch; b++) {
            float *expert = grads + (size_t)(slots[b] % experts) * CLASSES * (d + 1);
            const float g = d_logits[(size_t)b * CLASSES + c];
            if (i < d)
                expert[(size_t)c * d + i] += g * features[(size_t)b * d + i];
            else
                expert[(size_t)CLASSES * d + c] += g;
        }
    }
}
