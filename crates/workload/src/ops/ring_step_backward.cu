// Backward of ring_step.cu: the twin of ring_step_backward.rs. One block a sample.
#include "ring_step.cuh"

struct RingStepBackwardArguments {
    RingToken ring;
    RowSource read;              // of token `from + 1`
    const double *pointers;      // [T+1,B]
    const float *hidden;         // [T+1,B,D]
    float *heads;                // [T,B,4], gradients in place of values
    float *bridged;              // [T,B,D], gradients in place of values
    float *gates;                // [T,B,4D], gradients in place of values
    float *d_ring;               // [B,R,D], updated in place
    const float *d_hidden;       // [B,D], of token `from`
    float *d_before;             // [B,D], z * dh
    const float *d_x;            // [B,D], of token `from + 1`
    float *d_taps, *d_gain;      // [B,5], [B]
    double *d_pointer;           // [B,2]
    float *d_target;             // [T,B]
};
ASSERT_SIZE(RingStepBackwardArguments, 240);
ASSERT_OFFSET(RingStepBackwardArguments, ring, 0);
ASSERT_OFFSET(RingStepBackwardArguments, read, 120);
ASSERT_OFFSET(RingStepBackwardArguments, pointers, 136);
ASSERT_OFFSET(RingStepBackwardArguments, hidden, 144);
ASSERT_OFFSET(RingStepBackwardArguments, heads, 152);
ASSERT_OFFSET(RingStepBackwardArguments, bridged, 160);
ASSERT_OFFSET(RingStepBackwardArguments, gates, 168);
ASSERT_OFFSET(RingStepBackwardArguments, d_ring, 176);
ASSERT_OFFSET(RingStepBackwardArguments, d_hidden, 184);
ASSERT_OFFSET(RingStepBackwardArguments, d_before, 192);
ASSERT_OFFSET(RingStepBackwardArguments, d_x, 200);
ASSERT_OFFSET(RingStepBackwardArguments, d_taps, 208);
ASSERT_OFFSET(RingStepBackwardArguments, d_gain, 216);
ASSERT_OFFSET(RingStepBackwardArguments, d_pointer, 224);
ASSERT_OFFSET(RingStepBackwardArguments, d_target, 232);

// Sample b's step from token `from`; `read` is what the next token read. To be called by a whole
// block; another may have written `d_x` and `d_hidden`.
template <class P>
__device__ void ring_step_backward(const RingStepBackwardArguments &g, int b, int from,
                                   const RowSource &read, const float *d_hidden, float *d_before) {
    const RingToken &a = g.ring;
    const int d = a.slot_dim, next = from + 1;
    const size_t row = (size_t)a.ring_len * d;
    const RingAxis<P> axis = {a.ring_len, a.theta_ptr, a.theta_gate};
    float *d_ring = g.d_ring + b * row;
    PointerGradient grad = {g.d_pointer[2 * b], g.d_pointer[2 * b + 1]};
    if (next < a.tokens) { // what token `next` read
        const Taps taps = axis.taps(g.pointers[(size_t)next * a.batch + b]);
        const float *rows[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) rows[j] = read.row(b, taps, j, d);
        float *bridged = g.bridged + ((size_t)next * a.batch + b) * d;
        const float gain = sigmoid(*a.context_logit);
        float d_read[TAPS] = {};
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const float dx = __ldcg(g.d_x + (size_t)b * d + i), v = bridged[i];
            bridged[i] = round_to(a.mode, dx * (1.0f - v * v));
#pragma unroll
            for (int j = 0; j < TAPS; j++) {
                d_read[j] += rows[j][i] * dx;
                d_ring[(size_t)taps.slots[j] * d + i] += taps.weights[j] * (dx * gain);
            }
        }
        block_sum(d_read);
        float d_gain = 0.0f, d_taps[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            d_gain += taps.weights[j] * d_read[j];
            d_taps[j] = g.d_taps[b * TAPS + j] + gain * d_read[j];
        }
        grad.p += taps_backward(taps, d_taps);
        if (threadIdx.x == 0) g.d_gain[b] += d_gain;
    }
    if (from < 0) return;

    const size_t at = (size_t)from * a.batch + b;
    const double p = g.pointers[at];
    float heads[4], d_heads[4], d_target;
#pragma unroll
    for (int k = 0; k < 4; k++) heads[k] = g.heads[at * 4 + k];
    grad = axis.advance_backward(p, from % a.update_every == 0, heads, grad, d_heads, d_target);
    const Taps taps = axis.taps(p);
    const float *before = g.hidden + at * d, *after = before + (size_t)a.batch * d;
    float d_taps[TAPS] = {};
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        float dh = __ldcg(d_hidden + (size_t)b * d + i);
#pragma unroll
        for (int k = 0; k < 4; k++) dh += a.head_weights[k][i] * d_heads[k];
        const float h = after[i];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            const float written = d_ring[(size_t)taps.slots[j] * d + i];
            d_taps[j] += written * h;
            dh += taps.weights[j] * written;
        }
        d_before[(size_t)b * d + i] =
            gru_deactivate(dh, before[i], g.gates + at * 4 * d + i, d, a.mode);
    }
    block_sum(d_taps); // its barriers also say that every thread has read heads and d_pointer
    if (threadIdx.x != 0) return;
#pragma unroll
    for (int j = 0; j < TAPS; j++) g.d_taps[b * TAPS + j] = d_taps[j];
#pragma unroll
    for (int k = 0; k < 4; k++) g.heads[at * 4 + k] = d_heads[k];
    g.d_target[at] = d_target;
    g.d_pointer[2 * b] = grad.p;
    g.d_pointer[2 * b + 1] = grad.residual;
}

template <class P> __device__ void ring_step_backward(const RingStepBackwardArguments &g) {
    ring_step_backward<P>(g, blockIdx.x, g.ring.from, g.read, g.d_hidden, g.d_before);
}
FOR_POINTERS(ring_step_backward, __launch_bounds__(512), RingStepBackwardArguments)
