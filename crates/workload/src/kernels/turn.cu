// From one token to the next, and back: heads, pointer, write, read.
//
//   heads  = W h + b                                   (jump, inertia, deadzone, walk)
//   write:  M'[c_j, :] = M[c_j, :] + w_j h             (taps of the pointer that was read at)
//   move:   pointer.rs                                 (p -> p')
//   read:   x' = inp' + sigmoid(context_logit) sum_j w'_j M'[c'_j, :]
//
// One block a sample. The CPU does the same in the stages of forward.rs and backward.rs on
// ring.rs and pointer.rs; here they are one launch, because a launch costs as much as its work.
// A thread owns columns of the ring's rows, so that it reads what it wrote itself.
#include "gru.cuh"
#include "pointer.cuh"

// What both directions are given. `from` is the token that is over, -1 at the start; the token
// that follows is `from + 1`.
struct Turn {
    const float *theta_ptr, *theta_gate, *context_logit;
    const float *head_weight, *head_bias; // [4,D], [4]
    float *heads;                         // [T,B,4]
    double *pointers;                     // [T+1,B]
    float *hidden;                        // [T+1,B,D]
    float *bridged;                       // [T,B,D]
    float *tape;                          // [T,B,R,D]
    int from, tokens, batch, ring_len, slot_dim, update_every, mode;
};

template <class P>
__device__ void turn(const Turn &a, double *carry, double *moved, float *x) {
    const int b = blockIdx.x, d = a.slot_dim, next = a.from + 1;
    const size_t row = (size_t)a.ring_len * d;
    const Circle<P> circle = {a.ring_len, a.theta_ptr, a.theta_gate};
    float *ring = a.tape + ((size_t)next * a.batch + b) * row;
    double p = a.pointers[(size_t)max(a.from, 0) * a.batch + b];
    if (a.from >= 0) {
        const float *h = a.hidden + ((size_t)next * a.batch + b) * d;
        float heads[4] = {};
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const float hv = h[i];
#pragma unroll
            for (int k = 0; k < 4; k++) heads[k] += a.head_weight[(size_t)k * d + i] * hv;
        }
        block_sum(heads);
#pragma unroll
        for (int k = 0; k < 4; k++) heads[k] += a.head_bias[k];
        if (next < a.tokens) {
            const Taps taps = circle.taps(p);
            for (int i = threadIdx.x; i < d; i += blockDim.x) {
                const float hv = h[i];
#pragma unroll
                for (int j = 0; j < TAPS; j++)
                    ring[(size_t)taps.slots[j] * d + i] += taps.weights[j] * hv;
            }
        }
        double distance;
        const State state = circle.advance({p, carry[2 * b], carry[2 * b + 1]},
                                           a.from % a.update_every == 0, heads, distance);
        p = state.p;
        __syncthreads(); // every thread has read carry
        if (threadIdx.x == 0) {
            a.pointers[(size_t)next * a.batch + b] = p;
            carry[2 * b] = state.anchor;
            carry[2 * b + 1] = state.residual;
            moved[b] += distance;
#pragma unroll
            for (int k = 0; k < 4; k++) a.heads[((size_t)a.from * a.batch + b) * 4 + k] = heads[k];
        }
    }
    if (next >= a.tokens) return;
    const Taps taps = circle.taps(p);
    const float gain = sigmoid(*a.context_logit);
    const size_t at = ((size_t)next * a.batch + b) * d;
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        float cur = 0.0f;
#pragma unroll
        for (int j = 0; j < TAPS; j++) cur += taps.weights[j] * ring[(size_t)taps.slots[j] * d + i];
        x[at + i] = round_to(a.mode, a.bridged[at + i] + gain * cur);
    }
}

struct TurnBack {
    const float *d_hidden, *d_x; // [B,D], of token `from` and of the one after it
    float *gates;                // [T,B,4D], gradients in place of values
    float *d_before;             // [B,D], z * dh
    float *d_ring;               // [B,R,D], updated in place
    float *d_taps, *d_gain;      // [B,5], [B]
    double *d_pointer;           // [B,2]
    float *d_target;             // [T,B]
};

template <class P> __device__ void turn_back(const Turn &a, const TurnBack &g) {
    const int b = blockIdx.x, d = a.slot_dim, next = a.from + 1;
    const size_t row = (size_t)a.ring_len * d;
    const Circle<P> circle = {a.ring_len, a.theta_ptr, a.theta_gate};
    float *d_ring = g.d_ring + b * row;
    PointerGradient grad = {g.d_pointer[2 * b], g.d_pointer[2 * b + 1]};
    if (next < a.tokens) { // what token `next` read
        const Taps taps = circle.taps(a.pointers[(size_t)next * a.batch + b]);
        const float *ring = a.tape + ((size_t)next * a.batch + b) * row;
        float *bridged = a.bridged + ((size_t)next * a.batch + b) * d;
        const float gain = sigmoid(*a.context_logit);
        float d_read[TAPS] = {};
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const float dx = g.d_x[(size_t)b * d + i], v = bridged[i];
            bridged[i] = round_to(a.mode, dx * (1.0f - v * v));
#pragma unroll
            for (int j = 0; j < TAPS; j++) {
                const size_t at = (size_t)taps.slots[j] * d + i;
                d_read[j] += ring[at] * dx;
                d_ring[at] += taps.weights[j] * (dx * gain);
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
    if (a.from < 0) return;

    const size_t at = (size_t)a.from * a.batch + b;
    const double p = a.pointers[at];
    float heads[4], d_heads[4], d_target;
#pragma unroll
    for (int k = 0; k < 4; k++) heads[k] = a.heads[at * 4 + k];
    grad = circle.retreat(p, a.from % a.update_every == 0, heads, grad, d_heads, d_target);
    const Taps taps = circle.taps(p);
    const float *before = a.hidden + at * d, *after = before + (size_t)a.batch * d;
    float d_taps[TAPS] = {};
    for (int i = threadIdx.x; i < d; i += blockDim.x) {
        float dh = g.d_hidden[(size_t)b * d + i];
#pragma unroll
        for (int k = 0; k < 4; k++) dh += a.head_weight[(size_t)k * d + i] * d_heads[k];
        const float h = after[i];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            const float written = d_ring[(size_t)taps.slots[j] * d + i];
            d_taps[j] += written * h;
            dh += taps.weights[j] * written;
        }
        g.d_before[(size_t)b * d + i] =
            gru_deactivate(dh, before[i], g.gates + at * 4 * d + i, d, a.mode);
    }
    block_sum(d_taps); // its barriers also say that every thread has read heads and d_pointer
    if (threadIdx.x != 0) return;
#pragma unroll
    for (int j = 0; j < TAPS; j++) g.d_taps[b * TAPS + j] = d_taps[j];
#pragma unroll
    for (int k = 0; k < 4; k++) a.heads[at * 4 + k] = d_heads[k];
    g.d_target[at] = d_target;
    g.d_pointer[2 * b] = grad.p;
    g.d_pointer[2 * b + 1] = grad.residual;
}

extern "C" __global__ void __launch_bounds__(512)
    turn_fp64(Turn a, double *carry, double *moved, float *x) {
    turn<double>(a, carry, moved, x);
}
extern "C" __global__ void __launch_bounds__(512)
    turn_fp32(Turn a, double *carry, double *moved, float *x) {
    turn<float>(a, carry, moved, x);
}
extern "C" __global__ void __launch_bounds__(512) turn_back_fp64(Turn a, TurnBack g) {
    turn_back<double>(a, g);
}
extern "C" __global__ void __launch_bounds__(512) turn_back_fp32(Turn a, TurnBack g) {
    turn_back<float>(a, g);
}

// Pointers before token 0, from their units in [0,1): one thread a sample.
template <class P>
__device__ void start(const double *units, double *pointers, double *carry, int ring_len,
                      int batch) {
    const int b = blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= batch) return;
    const Circle<P> circle = {ring_len, nullptr, nullptr};
    const State s = circle.start(units[b]);
    pointers[b] = s.p;
    carry[2 * b] = s.anchor;
    carry[2 * b + 1] = s.residual;
}
extern "C" __global__ void start_fp64(const double *units, double *pointers, double *carry,
                                      int ring_len, int batch) {
    start<double>(units, pointers, carry, ring_len, batch);
}
extern "C" __global__ void start_fp32(const double *units, double *pointers, double *carry,
                                      int ring_len, int batch) {
    start<float>(units, pointers, carry, ring_len, batch);
}

// Gradients of the two fields and of the context's gain, from all tokens at once: one thread a
// slot, which looks at every move in the same order in every run.
template <class P>
__device__ void fields(const float *theta_ptr, const float *theta_gate, const double *pointers,
                       const float *d_heads, const float *d_target, float *d_theta_ptr,
                       float *d_theta_gate, int moves, int ring_len) {
    const Circle<P> circle = {ring_len, theta_ptr, theta_gate};
    const int slot = blockIdx.x * blockDim.x + threadIdx.x;
    __shared__ int slots[256];
    __shared__ float parts[256], targets[256], gates[256];
    float d_ptr = 0.0f, d_gate = 0.0f;
    for (int first = 0; first < moves; first += 256) {
        __syncthreads();
        const int m = first + threadIdx.x;
        if (m < moves) {
            const float p = (float)(P)pointers[m], floor_p = floorf(p);
            slots[threadIdx.x] = (int)((long long)fmaxf(floor_p, 0.0f) % ring_len);
            parts[threadIdx.x] = p - floor_p;
            targets[threadIdx.x] = d_target[m];
            gates[threadIdx.x] = d_heads[(size_t)m * 4];
        }
        __syncthreads();
        const int here = min(256, moves - first);
        for (int i = 0; i < here; i++) {
            const bool low = slots[i] == slot, high = (slots[i] + 1) % ring_len == slot;
            const float weight = (low ? 1.0f - parts[i] : 0.0f) + (high ? parts[i] : 0.0f);
            if (low || high) {
                d_ptr += targets[i] * weight;
                d_gate += gates[i] * weight;
            }
        }
    }
    if (slot >= ring_len) return;
    const float s = sigmoid(theta_ptr[slot]);
    d_theta_ptr[slot] += d_ptr * s * (1.0f - s) * (float)(ring_len - 1);
    d_theta_gate[slot] += d_gate;
}
#define FIELDS(NAME, P)                                                                           \
    extern "C" __global__ void NAME(const float *theta_ptr, const float *theta_gate,              \
                                    const double *pointers, const float *d_heads,                 \
                                    const float *d_target, float *d_theta_ptr,                    \
                                    float *d_theta_gate, int moves, int ring_len) {               \
        fields<P>(theta_ptr, theta_gate, pointers, d_heads, d_target, d_theta_ptr, d_theta_gate,  \
                  moves, ring_len);                                                               \
    }
FIELDS(fields_fp64, double)
FIELDS(fields_fp32, float)

// One thread: sum_b d_gain[b], through the sigmoid.
extern "C" __global__ void context(const float *context_logit, const float *d_gain,
                                   float *d_context_logit, int batch) {
    const float gain = sigmoid(*context_logit);
    float sum = 0.0f;
    for (int b = 0; b < batch; b++) sum += d_gain[b];
    *d_context_logit += sum * gain * (1.0f - gain);
}
