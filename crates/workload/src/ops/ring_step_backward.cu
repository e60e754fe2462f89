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

// What a step from a token needs and no gradient is needed for.
struct Prepared {
    Taps taps; // around the pointer before the token
    MoveGradient move;
};

// To be called by whole warps; written by one lane of each.
template <class P>
__device__ void prepare(const RingStepBackwardArguments &g, const RingAxis<P> &axis, int b, int from,
                        Prepared &prepared) {
    const size_t at = (size_t)from * g.ring.batch + b;
    const double p = g.pointers[at];
    float heads[4];
#pragma unroll
    for (int k = 0; k < 4; k++) heads[k] = g.heads[at * 4 + k];
    const Taps taps = axis.taps(p);
    const Move<P> move = axis.propose((P)p, heads, axis.fields((P)p));
    const MoveGradient grad = axis.advance_backward(move, from % g.ring.update_every == 0, heads);
    if (threadIdx.x % 32 == 0) prepared = {taps, grad};
}

// A sample on its way back, before token `from`.
struct RingSampleBackward {
    PointerGradient grad;
    float d_taps[TAPS], d_gain;

    __device__ RingSampleBackward(const RingStepBackwardArguments &g, int b) {
        grad = {g.d_pointer[2 * b], g.d_pointer[2 * b + 1]};
#pragma unroll
        for (int j = 0; j < TAPS; j++) d_taps[j] = g.d_taps[b * TAPS + j];
        d_gain = g.d_gain[b];
    }
};

// Columns of a thread whose loads are in flight at once.
constexpr int BACK_COLUMNS = 2;

// What the read of the token after is gone back over with, of some columns.
struct ReadColumns {
    float dx[BACK_COLUMNS], inputs[BACK_COLUMNS];
    float values[BACK_COLUMNS][TAPS], grads[BACK_COLUMNS][TAPS];
};

// What a token's write and gates are gone back over with, of some columns; gradients of rows apart.
struct WriteColumns {
    float dh[BACK_COLUMNS], before[BACK_COLUMNS], after[BACK_COLUMNS], heads[BACK_COLUMNS][4];
    GruGates gates[BACK_COLUMNS];
};

// Sample b's step from token `from`; `read` is what the next token read, around the taps of `next`;
// `now` is prepared of `from`. To be called by all threads of the group; another block may have
// written `d_x` and `d_hidden`. The parts of the taps' gradients that the threads have are left in
// `d_taps`.
template <class Group>
__device__ void ring_step_backward(const RingStepBackwardArguments &g, int b, int from,
                                   const RowSource &read, const Taps &next_taps, const Prepared &now,
                                   const float *d_hidden, float *d_before, RingSampleBackward &s,
                                   float (&d_heads)[4], float &d_target) {
    const RingToken &a = g.ring;
    const int d = a.slot_dim, next = from + 1, threads = Group::threads();
    const bool coincide = a.ring_len < TAPS; // then a row was written more than once
    float *d_ring = g.d_ring + (size_t)b * a.ring_len * d;
    d_hidden += (size_t)b * d;
    const size_t at = (size_t)max(from, 0) * a.batch + b;
    const float *before = g.hidden + at * d, *after = before + (size_t)a.batch * d;
    float *gates = g.gates + at * 4 * d;
    const auto of_write = [&](int first) {
        WriteColumns w;
#pragma unroll
        for (int c = 0; c < BACK_COLUMNS; c++) {
            const int i = first + c * threads;
            if (i >= d) break;
            w.dh[c] = __ldcg(d_hidden + i);
            w.before[c] = before[i];
            w.after[c] = after[i];
            w.gates[c] = GruGates(gates + i, d);
#pragma unroll
            for (int k = 0; k < 4; k++) w.heads[c][k] = a.head_weights[k][i];
        }
        return w;
    };
    WriteColumns write = {};
    if (from >= 0 && next >= a.tokens) write = of_write(threadIdx.x);
    if (next < a.tokens) { // what token `next` read
        const float *rows[TAPS];
        int slots[TAPS];
        float weights[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            slots[j] = next_taps.slots[j];
            weights[j] = next_taps.weights[j];
            rows[j] = read.row(b, next_taps, j, d);
        }
        float *bridged = g.bridged + ((size_t)next * a.batch + b) * d;
        const float gain = sigmoid(*a.context_logit);
        float d_read[TAPS] = {};
#pragma unroll 1
        for (int first = threadIdx.x; first < d; first += BACK_COLUMNS * threads) {
            ReadColumns r;
#pragma unroll
            for (int c = 0; c < BACK_COLUMNS; c++) {
                const int i = first + c * threads;
                if (i >= d) break;
                r.dx[c] = __ldcg(g.d_x + (size_t)b * d + i);
                r.inputs[c] = bridged[i];
#pragma unroll
                for (int j = 0; j < TAPS; j++) {
                    r.values[c][j] = rows[j][i];
                    r.grads[c][j] = d_ring[(size_t)slots[j] * d + i];
                }
            }
            // Needed a while later; under way together with the others.
            if (from >= 0 && first == threadIdx.x) write = of_write(first);
#pragma unroll
            for (int c = 0; c < BACK_COLUMNS; c++) {
                const int i = first + c * threads;
                if (i >= d) break;
                bridged[i] = round_to(a.mode, r.dx[c] * (1.0f - r.inputs[c] * r.inputs[c]));
#pragma unroll
                for (int j = 0; j < TAPS; j++) {
                    d_read[j] += r.values[c][j] * r.dx[c];
                    float *grad = d_ring + (size_t)slots[j] * d + i;
                    *grad = (coincide ? *grad : r.grads[c][j]) + weights[j] * (r.dx[c] * gain);
                }
            }
        }
        block_sum<Group>(d_read);
        float d_taps[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            s.d_gain += weights[j] * d_read[j];
            d_taps[j] = s.d_taps[j] + gain * d_read[j];
        }
        s.grad.p += taps_backward(next_taps, d_taps);
    }
    if (from < 0) return;

    const double carried = s.grad.p + s.grad.residual;
    s.grad = {carried * now.move.p, carried};
    d_target = (float)(carried * now.move.target);
#pragma unroll
    for (int k = 0; k < 4; k++) d_heads[k] = (float)(carried * now.move.heads[k]);
    int slots[TAPS];
    float weights[TAPS];
#pragma unroll
    for (int j = 0; j < TAPS; j++) {
        slots[j] = now.taps.slots[j];
        weights[j] = now.taps.weights[j];
        s.d_taps[j] = 0.0f;
    }
#pragma unroll 1
    for (int first = threadIdx.x; first < d; first += BACK_COLUMNS * threads) {
        if (first != threadIdx.x) write = of_write(first);
        float grads[BACK_COLUMNS][TAPS];
#pragma unroll
        for (int c = 0; c < BACK_COLUMNS; c++) {
            const int i = first + c * threads;
            if (i >= d) break;
#pragma unroll
            for (int j = 0; j < TAPS; j++) grads[c][j] = d_ring[(size_t)slots[j] * d + i];
        }
#pragma unroll
        for (int c = 0; c < BACK_COLUMNS; c++) {
            const int i = first + c * threads;
            if (i >= d) break;
            float dh = write.dh[c];
#pragma unroll
            for (int k = 0; k < 4; k++) dh += write.heads[c][k] * d_heads[k];
#pragma unroll
            for (int j = 0; j < TAPS; j++) {
                s.d_taps[j] += grads[c][j] * write.after[c];
                dh += weights[j] * grads[c][j];
            }
            d_before[(size_t)b * d + i] =
                gru_deactivate(dh, write.before[c], write.gates[c], gates + i, d, a.mode);
        }
    }
}

// What the step before needs, and what is no part of the chain. To be called by all threads of the
// group.
template <class Group>
__device__ void ring_step_finish(const RingStepBackwardArguments &g, int b, int from,
                                 RingSampleBackward &s, const float (&d_heads)[4], float d_target) {
    if (from >= 0) block_sum<Group>(s.d_taps);
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

// Brings what the step from token `from` will read nearer: it was written long ago, in forward.
// `next_taps` are those of the token after. To be called by all threads of the group.
template <class Group>
__device__ void ring_step_prefetch(const RingStepBackwardArguments &g, int b, int from,
                                   const RowSource &read, const Taps &next_taps) {
    constexpr int SECTOR = 32 / sizeof(float);
    const int d = g.ring.slot_dim;
    const size_t at = (size_t)from * g.ring.batch + b, next = at + g.ring.batch;
#pragma unroll 1
    for (int i = threadIdx.x * SECTOR; i < d; i += Group::threads() * SECTOR) {
#pragma unroll
        for (int j = 0; j < TAPS; j++) prefetch(read.row(b, next_taps, j, d) + i);
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
    __shared__ Taps next_taps;
    __shared__ Prepared now;
    if (threadIdx.x < 32) {
        if (next < a.tokens) {
            const Taps taps = axis.taps(g.pointers[(size_t)next * a.batch + b]);
            if (threadIdx.x == 0) next_taps = taps;
        }
        if (a.from >= 0) prepare(g, axis, b, a.from, now);
    }
    __syncthreads();
    RingSampleBackward sample(g, b);
    float d_heads[4], d_target;
    ring_step_backward<Block>(g, b, a.from, g.read, next_taps, now, g.d_hidden, g.d_before, sample,
                              d_heads, d_target);
    ring_step_finish<Block>(g, b, a.from, sample, d_heads, d_target);
}
FOR_POINTERS(ring_step_backward, __launch_bounds__(512), RingStepBackwardArguments)
