// From one token to the next: the twin of ring_step.rs, where the equations are.
//
// One block a sample; heads, write, move and read are one launch, because a launch costs as much as
// its work. A thread owns columns of the ring's rows, so that it reads what it wrote itself.
#include "ring_step.cuh"

struct RingStepArguments {
    RingToken ring;
    float *heads;                 // [T,B,4]
    double *pointers;             // [T+1,B]
    const float *hidden;          // [T+1,B,D]
    const float *bridged;         // [T,B,D]
    float *state;                 // [B,R,D], the ring state, updated in place
    float *kept;                  // [B,5,D], the rows that token `from + 1` reads, or null
    double *carry, *moved;        // [B,2], [B]
    float *x;                     // [T,B,D]
};
ASSERT_SIZE(RingStepArguments, 192);
ASSERT_OFFSET(RingStepArguments, ring, 0);
ASSERT_OFFSET(RingStepArguments, heads, 120);
ASSERT_OFFSET(RingStepArguments, pointers, 128);
ASSERT_OFFSET(RingStepArguments, hidden, 136);
ASSERT_OFFSET(RingStepArguments, bridged, 144);
ASSERT_OFFSET(RingStepArguments, state, 152);
ASSERT_OFFSET(RingStepArguments, kept, 160);
ASSERT_OFFSET(RingStepArguments, carry, 168);
ASSERT_OFFSET(RingStepArguments, moved, 176);
ASSERT_OFFSET(RingStepArguments, x, 184);

// Sample b's step from token `from` to the next, whose rows go to `kept` [B,5,D], if anywhere. To be
// called by a whole block; another may have written the hidden state.
template <class P>
__device__ void ring_step(const RingStepArguments &g, int b, int from, float *kept) {
    const RingToken &a = g.ring;
    const int d = a.slot_dim, next = from + 1;
    const size_t row = (size_t)a.ring_len * d;
    const RingAxis<P> axis = {a.ring_len, a.theta_ptr, a.theta_gate};
    float *ring = g.state + b * row;
    double p = g.pointers[(size_t)max(from, 0) * a.batch + b];
    if (from >= 0) {
        const float *h = g.hidden + ((size_t)next * a.batch + b) * d;
        float heads[4] = {};
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const float hv = __ldcg(h + i);
#pragma unroll
            for (int k = 0; k < 4; k++) heads[k] += a.head_weights[k][i] * hv;
        }
        block_sum(heads);
#pragma unroll
        for (int k = 0; k < 4; k++) heads[k] += *a.head_biases[k];
        if (next < a.tokens) {
            const Taps taps = axis.taps(p);
            for (int i = threadIdx.x; i < d; i += blockDim.x) {
                const float hv = __ldcg(h + i);
#pragma unroll
                for (int j = 0; j < TAPS; j++) {
                    float &m = ring[(size_t)taps.slots[j] * d + i];
                    m = written(m, taps.weights[j], hv);
                }
            }
        }
        double distance;
        const State state = axis.advance({p, g.carry[2 * b], g.carry[2 * b + 1]},
                                           from % a.update_every == 0, heads, distance);
        p = state.p;
        __syncthreads(); // every thread has read carry
        if (threadIdx.x == 0) {
            g.pointers[(size_t)next * a.batch + b] = p;
            g.carry[2 * b] = state.anchor;
            g.carry[2 * b + 1] = state.residual;
            g.moved[b] += distance;
#pragma unroll
            for (int k = 0; k < 4; k++) g.heads[((size_t)from * a.batch + b) * 4 + k] = heads[k];
        }
    }
    if (next >= a.tokens) return;
    const Taps taps = axis.taps(p);
    const float gain = sigmoid(*a.context_logit);
    const size_t at = ((size_t)next * a.batch + b) * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        float cur = 0.0f, read[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            read[j] = ring[(size_t)taps.slots[j] * d + i];
            cur += taps.weights[j] * read[j];
        }
        if (kept) {
#pragma unroll
            for (int j = 0; j < TAPS; j++) kept[((size_t)b * TAPS + j) * d + i] = read[j];
        }
        g.x[at + i] = round_to(a.mode, g.bridged[at + i] + gain * cur);
    }
}

template <class P> __device__ void ring_step(const RingStepArguments &g) {
    ring_step<P>(g, blockIdx.x, g.ring.from, g.kept);
}
FOR_POINTERS(ring_step, __launch_bounds__(512), RingStepArguments)
