// The pointer of one sample: the twin of ring_axis.rs, where its equations are.
//
// Every thread of a warp computes the same pointer; only the five taps are spread over its lanes.
#pragma once
#include "numeric.cuh"

constexpr int TAPS = 5;
constexpr double EDGE = 0.25;
constexpr float MAX_INERTIA = 0.99f;

struct Taps {
    int slots[TAPS];
    float weights[TAPS];
    double offsets[TAPS]; // wrap(p, c_j)
};

struct State {
    double p, anchor, residual;
};

// Gradients of a pointer between two tokens.
struct PointerGradient {
    double p, residual;
};

// What a move makes of a gradient of one: of its raw heads, rounded target and pointer.
struct MoveGradient {
    double heads[4], target, p;
};

struct Fields {
    int slots[2];
    float weights[2], squashed[2], target, gate;
};

template <class P> struct Move {
    float inertia;
    P walk, jump, keep, walk_wrap, jump_wrap, keep_wrap, d, gain, q;
};

__device__ inline float softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); }

// The sign of the dividend.
template <class X> __device__ __noinline__ X far_rem(X a, X period) { return fmod(a, period); }

template <class P> struct RingAxis {
    int len;
    const float *theta_ptr, *theta_gate;

    // Subtracting the period is exact where it is short. What is far takes a call: it is some thousand
    // instructions, of which no cache has room for a copy at every use.
    template <class X> __device__ X rem(X a) const {
        const X period = (X)len;
        if (!(fabs(a) < 2 * period)) {
            a = far_rem(a, period);
        } else {
            a = a >= period ? a - period : (a <= -period ? a + period : a);
        }
        return a < 0 ? a + period : a;
    }

    template <class X> __device__ X wrap(X a, X b) const {
        const X half = (X)len / 2;
        return rem(b - a + half) - half;
    }

    __device__ int slot(double p) const {
        const double f = floor(p); // a NaN or a negative lands on slot 0
        return f >= len - 1 ? len - 1 : (f > 0 ? (int)f : 0);
    }

    // To be called by whole warps.
    __device__ Taps taps(double at) const {
        Taps t;
        const int centre = slot(at) + TAPS * len - TAPS / 2;
#pragma unroll
        for (int j = 0; j < TAPS; j++) t.slots[j] = (centre + j) % len;
        const P p = (P)at;
        const int mine = (centre + (int)(threadIdx.x % 32) % TAPS) % len;
        const P offset = wrap(p, (P)mine);
        const P logit = -(offset * offset) / 8;
        P top = logit;
        P offsets[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            offsets[j] = __shfl_sync(0xffffffffu, offset, j);
            const P other = __shfl_sync(0xffffffffu, logit, j);
            top = j == 0 ? other : (other > top ? other : top);
        }
        const P raw = exp(logit - top);
        P sum = 0, raws[TAPS];
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            raws[j] = __shfl_sync(0xffffffffu, raw, j);
            sum += raws[j];
        }
        const P weight = raw / sum;
#pragma unroll
        for (int j = 0; j < TAPS; j++) {
            t.weights[j] = (float)__shfl_sync(0xffffffffu, weight, j);
            t.offsets[j] = (double)offsets[j];
        }
        return t;
    }

    __device__ Fields fields(P at) const {
        Fields f;
        const float p = (float)at, floor_p = floorf(p), part = p - floor_p;
        const int first = (int)fmaxf(floor_p, 0.0f) % len;
        f.slots[0] = first;
        f.slots[1] = (first + 1) % len;
        f.weights[0] = 1.0f - part;
        f.weights[1] = part;
#pragma unroll
        for (int k = 0; k < 2; k++) f.squashed[k] = sigmoid(theta_ptr[f.slots[k]]);
        const float span = (float)(len - 1);
        f.target = f.weights[0] * (f.squashed[0] * span) + f.weights[1] * (f.squashed[1] * span);
        f.gate = f.weights[0] * theta_gate[f.slots[0]] + f.weights[1] * theta_gate[f.slots[1]];
        return f;
    }

    __device__ Move<P> propose(P p, const float (&heads)[4], const Fields &f) const {
        Move<P> m;
        m.inertia = sigmoid(heads[1]);
        m.keep = (P)1 - (P)fminf(m.inertia, MAX_INERTIA);
        const P deadzone = (P)softplus(heads[2]);
        m.walk = (P)sigmoid(heads[3]);
        m.jump = (P)sigmoid(heads[0] + f.gate);
        m.walk_wrap = wrap(p, rem(p + (P)1));
        const P q1 = rem(p + m.walk * m.walk_wrap);
        m.jump_wrap = wrap(q1, (P)rintf(f.target));
        const P q2 = rem(q1 + m.jump * m.jump_wrap);
        m.keep_wrap = wrap(p, q2);
        const P q3 = rem(p + m.keep * m.keep_wrap);
        m.d = wrap(p, q3);
        m.gain = (P)1 / ((P)1 + exp(-(fabs(m.d) - deadzone) / (P)EDGE));
        m.q = rem(p + m.gain * m.d);
        return m;
    }

    __device__ State start(double unit) const {
        const P p = (P)unit * (P)(len - 1);
        State s;
        s.anchor = rem(rint((double)p));
        s.residual = (double)p - s.anchor;
        s.p = (double)(P)(s.anchor + s.residual);
        return s;
    }

    // The next state, and in `distance` how far it is. `moves` is false where the pointer is held.
    __device__ State advance(State s, const Fields &f, bool moves, const float (&heads)[4],
                             double &distance) const {
        const P p = (P)s.p;
        const P q = moves ? propose(p, heads, f).q : p;
        const double residual = s.residual + (double)wrap(p, q);
        const double unit = residual > 0 ? 1.0 : (residual < 0 ? -1.0 : residual);
        double step = floor(fabs(residual)) * unit;
        step = step > 1 ? 1.0 : (step < -1 ? -1.0 : step);
        State n;
        n.anchor = rem(s.anchor + step);
        const P next = (P)rem(n.anchor + residual - step);
        n.p = (double)next;
        if (!moves) n.anchor = rem(rint(n.p));
        n.residual = wrap(n.anchor, n.p);
        distance = (double)fabs(wrap(p, next));
        return n;
    }

    // Backward of `advance` by the move `m`, for a gradient of one of the next pointer and residual
    // together. Gradients of the raw heads and of the rounded target are zero where the pointer is
    // held, which needs no move.
    __device__ MoveGradient advance_backward(const Move<P> &m, bool moves,
                                             const float (&heads)[4]) const {
        MoveGradient grad = {};
        if (!moves) return grad;
        const double gain = m.gain, d = m.d, keep = m.keep, jump = m.jump, walk = m.walk;
        const double sign = d > 0 ? 1.0 : (d < 0 ? -1.0 : d);
        const double d_edge = d * gain * (1.0 - gain) / EDGE;
        const double d_d = gain + d_edge * sign;
        const double d_q2 = d_d * keep;
        const double d_q1 = d_q2 * (1.0 - jump);
        grad.p = -d_d + d_d * (1.0 - keep) + d_q1;
        const double d_jump = d_q2 * (double)m.jump_wrap;
        const double inertia = m.inertia;
        grad.heads[0] = d_jump * jump * (1.0 - jump);
        if (m.inertia <= MAX_INERTIA)
            grad.heads[1] = -d_d * (double)m.keep_wrap * inertia * (1.0 - inertia);
        grad.heads[2] = -d_edge * (double)sigmoid(heads[2]);
        grad.heads[3] = d_q1 * (double)m.walk_wrap * walk * (1.0 - walk);
        grad.target = d_q2 * jump;
        return grad;
    }
};

// Gradient of p from those of the five weights.
__device__ inline double taps_backward(const Taps &taps, const float (&d_weights)[TAPS]) {
    double mean = 0, sum = 0;
#pragma unroll
    for (int j = 0; j < TAPS; j++) mean += (double)taps.weights[j] * (double)d_weights[j];
#pragma unroll
    for (int j = 0; j < TAPS; j++) {
        const double w = taps.weights[j];
        sum += (w * (double)d_weights[j] - w * mean) * taps.offsets[j] / 4.0;
    }
    return sum;
}
