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

// A sample between two tokens: where its pointer is, and what follows from that alone.
template <class P> struct RingSample {
    State state;
    Taps taps;
    Fields fields;
    double moved;

    __device__ RingSample(const RingStepArguments &g, const RingAxis<P> &axis, int b, int from) {
        const double p = g.pointers[(size_t)max(from, 0) * g.ring.batch + b];
        state = {p, g.carry[2 * b], g.carry[2 * b + 1]};
        taps = axis.taps(p);
        fields = axis.fields((P)p);
        moved = g.moved[b];
    }

    // What the next launch needs besides the pointer.
    __device__ void store(const RingStepArguments &g, int b) const {
        if (threadIdx.x != 0) return;
        g.carry[2 * b] = state.anchor;
        g.carry[2 * b + 1] = state.residual;
        g.moved[b] = moved;
    }
};

// Sample b's step from token `from` to the next, whose rows go to `kept` [B,5,D], if anywhere. To be
// called by a whole block; another may have written the hidden state. The fields of `s` are those of
// token `from` on return.
template <class P>
__device__ void ring_step(const RingStepArguments &g, const RingAxis<P> &axis, int b, int from,
                          float *kept, RingSample<P> &s) {
    constexpr int COLUMNS = 3; // of a thread, whose loads are in flight at once
    const RingToken &a = g.ring;
    const int d = a.slot_dim, next = from + 1;
    const bool coincide = a.ring_len < TAPS; // then a row is written more than once
    float *ring = g.state + (size_t)b * a.ring_len * d;
    // What the next token reads beside the ring was written long ago: its loads do not wait.
    const float *bridged = g.bridged + ((size_t)next * a.batch + b) * d;
    float inputs[COLUMNS];
    const auto load_inputs = [&](int first) {
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int i = first + c * blockDim.x;
            inputs[c] = i < d ? bridged[i] : 0.0f;
        }
    };
    if (next < a.tokens) load_inputs(threadIdx.x);
    if (from >= 0) {
        const float *h = g.hidden + ((size_t)next * a.batch + b) * d;
        const bool writes = next < a.tokens;
        float heads[4] = {};
#pragma unroll 1
        for (int first = threadIdx.x; first < d; first += COLUMNS * blockDim.x) {
            float hv[COLUMNS], head_weights[COLUMNS][4], rows[COLUMNS][TAPS];
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int i = first + c * blockDim.x;
                hv[c] = i < d ? __ldcg(h + i) : 0.0f;
#pragma unroll
                for (int k = 0; k < 4; k++) head_weights[c][k] = i < d ? a.head_weights[k][i] : 0.0f;
#pragma unroll
                for (int j = 0; j < TAPS; j++)
                    rows[c][j] = writes && i < d ? ring[(size_t)s.taps.slots[j] * d + i] : 0.0f;
            }
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int i = first + c * blockDim.x;
                if (i >= d) break;
#pragma unroll
                for (int k = 0; k < 4; k++) heads[k] += head_weights[c][k] * hv[c];
                if (!writes) continue;
#pragma unroll
                for (int j = 0; j < TAPS; j++) {
                    float *m = ring + (size_t)s.taps.slots[j] * d + i;
                    *m = written(coincide ? *m : rows[c][j], s.taps.weights[j], hv[c]);
                }
            }
        }
        block_sum(heads); // its barriers also say that every thread has read what is written here
#pragma unroll
        for (int k = 0; k < 4; k++) heads[k] += *a.head_biases[k];
        double distance;
        s.state = axis.advance(s.state, s.fields, from % a.update_every == 0, heads, distance);
        s.moved += distance;
        if (threadIdx.x == 0) {
            g.pointers[(size_t)next * a.batch + b] = s.state.p;
#pragma unroll
            for (int k = 0; k < 4; k++) g.heads[((size_t)from * a.batch + b) * 4 + k] = heads[k];
        }
        s.taps = axis.taps(s.state.p);
    }
    if (next >= a.tokens) return;
    const float gain = sigmoid(*a.context_logit);
    const size_t at = ((size_t)next * a.batch + b) * d;
#pragma unroll 1
    for (int first = threadIdx.x; first < d; first += COLUMNS * blockDim.x) {
        if (first != threadIdx.x) load_inputs(first);
        float rows[COLUMNS][TAPS];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int i = first + c * blockDim.x;
#pragma unroll
            for (int j = 0; j < TAPS; j++)
                rows[c][j] = i < d ? ring[(size_t)s.taps.slots[j] * d + i] : 0.0f;
        }
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int i = first + c * blockDim.x;
            if (i >= d) break;
            float cur = 0.0f;
#pragma unroll
            for (int j = 0; j < TAPS; j++) cur += s.taps.weights[j] * rows[c][j];
            g.x[at + i] = round_to(a.mode, inputs[c] + gain * cur);
            if (!kept) continue;
#pragma unroll
            for (int j = 0; j < TAPS; j++) kept[((size_t)b * TAPS + j) * d + i] = rows[c][j];
        }
    }
}

template <class P> __device__ void ring_step(const RingStepArguments &g) {
    const RingToken &a = g.ring;
    const RingAxis<P> axis = {a.ring_len, a.theta_ptr, a.theta_gate};
    RingSample<P> sample(g, axis, blockIdx.x, a.from);
    ring_step(g, axis, blockIdx.x, a.from, g.kept, sample);
    if (a.from >= 0) sample.store(g, blockIdx.x);
}
FOR_POINTERS(ring_step, __launch_bounds__(512), RingStepArguments)
