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

// A sample on its way back, before token `from`.
template <class P> struct RingSampleBackward {
    PointerGradient grad;
    float d_taps[TAPS], d_gain;
    Taps next, taps; // around the pointers of tokens from + 1 and from
    float heads[4];
    Move<P> move;

    __device__ RingSampleBackward(const RingStepBackwardArguments &g, int b) {
        grad = {g.d_pointer[2 * b], g.d_pointer[2 * b + 1]};
#pragma unroll
        for (int j = 0; j < TAPS; j++) d_taps[j] = g.d_taps[b * TAPS + j];
        d_gain = g.d_gain[b];
    }

    // What needs no gradient.
    __device__ void prepare(const RingStepBackwardArguments &g, const RingAxis<P> &axis, int b,
                            int from) {
        const size_t at = (size_t)from * g.ring.batch + b;
        const double p = g.pointers[at];
#pragma unroll
        for (int k = 0; k < 4; k++) heads[k] = g.heads[at * 4 + k];
        taps = axis.taps(p);
        move = axis.propose((P)p, heads, axis.fields((P)p));
    }
};

// Sample b's step from token `from`; `read` is what the next token read. To be called by a whole
// block; another may have written `d_x` and `d_hidden`. The parts of the taps' gradients that the
// threads have are left in `d_taps`.
template <class P>
__device__ void ring_step_backward(const RingStepBackwardArguments &g, const RingAxis<P> &axis,
                                   int b, int from, const RowSource &read, const float *d_hidden,
                                   float *d_before, RingSampleBackward<P> &s, float (&d_heads)[4],
                                   float &d_target) {
    constexpr int STASHED = 1024;
    constexpr int COLUMNS = 2; // of a thread, whose loads are in flight at once
    __shared__ float stash[STASHED]; // of d_hidden, which travels together with d_x
    const RingToken &a = g.ring;
    const int d = a.slot_dim, next = from + 1;
    const bool coincide = a.ring_len < TAPS; // then a row was written more than once
    float *d_ring = g.d_ring + (size_t)b * a.ring_len * d;
    d_hidden += (size_t)b * d;
    if (from >= 0)
#pragma unroll 1
        for (int i = threadIdx.x; i < min(d, STASHED); i += blockDim.x) stash[i] = __ldcg(d_hidden + i);
    if (next < a.tokens) { // what token `next` read
        const float *rows[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) rows[j] = read.row(b, s.next, j, d);
        float *bridged = g.bridged + ((size_t)next * a.batch + b) * d;
        const float gain = sigmoid(*a.context_logit);
        float d_read[TAPS] = {};
#pragma unroll 1
        for (int first = threadIdx.x; first < d; first += COLUMNS * blockDim.x) {
            float dx[COLUMNS], inputs[COLUMNS], values[COLUMNS][TAPS], grads[COLUMNS][TAPS];
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int i = first + c * blockDim.x;
                if (i >= d) break;
                dx[c] = __ldcg(g.d_x + (size_t)b * d + i);
                inputs[c] = bridged[i];
#pragma unroll
                for (int j = 0; j < TAPS; j++) {
                    values[c][j] = rows[j][i];
                    grads[c][j] = d_ring[(size_t)s.next.slots[j] * d + i];
                }
            }
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int i = first + c * blockDim.x;
                if (i >= d) break;
                bridged[i] = round_to(a.mode, dx[c] * (1.0f - inputs[c] * inputs[c]));
#pragma unroll
                for (int j = 0; j < TAPS; j++) {
                    d_read[j] += values[c][j] * dx[c];
                    float *grad = d_ring + (size_t)s.next.slots[j] * d + i;
                    *grad = (coincide ? *grad : grads[c][j]) + s.next.weights[j] * (dx[c] * gain);
                }
            }
        }
        block_sum(d_read);
        float d_taps[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            s.d_gain += s.next.weights[j] * d_read[j];
            d_taps[j] = s.d_taps[j] + gain * d_read[j];
        }
        s.grad.p += taps_backward(s.next, d_taps);
    }
    if (from < 0) return;

    const size_t at = (size_t)from * a.batch + b;
    s.grad = axis.advance_backward(s.move, from % a.update_every == 0, s.heads, s.grad, d_heads,
                                   d_target);
    const float *before = g.hidden + at * d, *after = before + (size_t)a.batch * d;
#pragma unroll
    for (int j = 0; j < TAPS; j++) s.d_taps[j] = 0.0f;
#pragma unroll 1
    for (int first = threadIdx.x; first < d; first += COLUMNS * blockDim.x) {
        float hidden[COLUMNS], h[COLUMNS], grads[COLUMNS][TAPS];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int i = first + c * blockDim.x;
            if (i >= d) break;
            hidden[c] = before[i];
            h[c] = after[i];
#pragma unroll
            for (int j = 0; j < TAPS; j++) grads[c][j] = d_ring[(size_t)s.taps.slots[j] * d + i];
        }
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int i = first + c * blockDim.x;
            if (i >= d) break;
            float dh = i < STASHED ? stash[i] : __ldcg(d_hidden + i);
#pragma unroll
            for (int k = 0; k < 4; k++) dh += a.head_weights[k][i] * d_heads[k];
#pragma unroll
            for (int j = 0; j < TAPS; j++) {
                s.d_taps[j] += grads[c][j] * h[c];
                dh += s.taps.weights[j] * grads[c][j];
            }
            d_before[(size_t)b * d + i] =
                gru_deactivate(dh, hidden[c], g.gates + at * 4 * d + i, d, a.mode);
        }
    }
}

// What the step before needs, and what is no part of the chain. To be called by a whole block.
template <class P>
__device__ void ring_step_finish(const RingStepBackwardArguments &g, int b, int from,
                                 RingSampleBackward<P> &s, const float (&d_heads)[4],
                                 float d_target) {
    if (from >= 0) {
        block_sum(s.d_taps); // its barriers also say that every thread has read what is written here
        s.next = s.taps;
    }
    if (threadIdx.x != 0) return;
    g.d_gain[b] = s.d_gain;
    if (from < 0) return;
    const size_t at = (size_t)from * g.ring.batch + b;
#pragma unroll
    for (int j = 0; j < TAPS; j++) g.d_taps[b * TAPS + j] = s.d_taps[j];
#pragma unroll
    for (int k = 0; k < 4; k++) g.heads[at * 4 + k] = d_heads[k];
    g.d_target[at] = d_target;
    g.d_pointer[2 * b] = s.grad.p;
    g.d_pointer[2 * b + 1] = s.grad.residual;
}

__device__ inline void prefetch(const float *at) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(at));
}

// Brings what the step from token `from` will read nearer: it was written long ago, in forward. `s` is
// what ring_step_finish left.
template <class P>
__device__ void ring_step_prefetch(const RingStepBackwardArguments &g, int b, int from,
                                   const RowSource &read, const RingSampleBackward<P> &s) {
    constexpr int SECTOR = 32 / sizeof(float);
    const int d = g.ring.slot_dim;
    const size_t at = (size_t)from * g.ring.batch + b, next = at + g.ring.batch;
#pragma unroll 1
    for (int i = threadIdx.x * SECTOR; i < d; i += blockDim.x * SECTOR) {
#pragma unroll
        for (int j = 0; j < TAPS; j++) prefetch(read.row(b, s.next, j, d) + i);
        prefetch(g.bridged + next * d + i);
        prefetch(g.hidden + at * d + i);
#pragma unroll
        for (int k = 0; k < 4; k++) prefetch(g.gates + (at * 4 + k) * d + i);
    }
}

template <class P> __device__ void ring_step_backward(const RingStepBackwardArguments &g) {
    const RingToken &a = g.ring;
    const int b = blockIdx.x, next = a.from + 1;
    const RingAxis<P> axis = {a.ring_len, a.theta_ptr, a.theta_gate};
    RingSampleBackward<P> sample(g, b);
    if (next < a.tokens) sample.next = axis.taps(g.pointers[(size_t)next * a.batch + b]);
    if (a.from >= 0) sample.prepare(g, axis, b, a.from);
    float d_heads[4], d_target;
    ring_step_backward(g, axis, b, a.from, g.read, g.d_hidden, g.d_before, sample, d_heads, d_target);
    ring_step_finish(g, b, a.from, sample, d_heads, d_target);
}
FOR_POINTERS(ring_step_backward, __launch_bounds__(512), RingStepBackwardArguments)
