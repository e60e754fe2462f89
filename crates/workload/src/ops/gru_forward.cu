// One token of a GRU cell: the twin of gru_forward.rs; the equations are in gru.rs.
#include "gru.cuh"

namespace {
// Sums 64 values over a warp: lane l ends with the sums of values 2*k and 2*k+1, where k is l with
// its bits in place. A tree over halves moves 62 values instead of 320.
__device__ inline void warp_sum_64(float (&v)[64]) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int step = 0; step < 5; step++) {
        const int offset = 16 >> step, half = 32 >> step;
        const bool upper = lane & offset;
#pragma unroll
        for (int i = 0; i < 32; i++) {
            if (i >= half) break;
            const float send = upper ? v[i] : v[i + half];
            const float keep = upper ? v[i + half] : v[i];
            v[i] = keep + __shfl_xor_sync(0xffffffffu, send, offset);
        }
    }
}
} // namespace

// A block: two units of eight samples, the inner dimension spread over four warps.
// grid (ceil(B/8), ceil(W/2)), block 128.
template <class W>
__device__ void gru_forward(const float *x, const float *hidden, const W *weight_ih,
                            const W *weight_hh, const W *bias_ih, const W *bias_hh, float *gates,
                            float *next, int batch, int width, int mode) {
    constexpr int UNITS = 2, THREADS = 128;
    const int unit = blockIdx.y * UNITS, first = blockIdx.x * SAMPLES;
    const int samples = min(SAMPLES, batch - first);
    // [sample][unit][r, z, n of x, n of h]
    float sum[SAMPLES * UNITS * 4] = {};
    const size_t w2 = (size_t)width * width;
    const W *ih[UNITS], *hh[UNITS];
#pragma unroll
    for (int u = 0; u < UNITS; u++) {
        const size_t row = min(unit + u, width - 1);
        ih[u] = weight_ih + row * width;
        hh[u] = weight_hh + row * width;
    }
    for (int k = threadIdx.x; k < width; k += THREADS) {
        float wi[UNITS][3], wh[UNITS][3];
#pragma unroll
        for (int u = 0; u < UNITS; u++) {
#pragma unroll
            for (int g = 0; g < 3; g++) {
                wi[u][g] = value(ih[u][g * w2 + k]);
                wh[u][g] = value(hh[u][g * w2 + k]);
            }
        }
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            if (s >= samples) break;
            const size_t at = (size_t)(first + s) * width + k;
            const float xv = x[at], hv = round_to(mode, hidden[at]);
#pragma unroll
            for (int u = 0; u < UNITS; u++) {
                float *to = sum + (s * UNITS + u) * 4;
                to[0] += wi[u][0] * xv + wh[u][0] * hv;
                to[1] += wi[u][1] * xv + wh[u][1] * hv;
                to[2] += wi[u][2] * xv;
                to[3] += wh[u][2] * hv;
            }
        }
    }
    warp_sum_64(sum);
    __shared__ float partial[4][64];
    const int lane = threadIdx.x % 32;
    partial[threadIdx.x / 32][lane * 2] = sum[0];
    partial[threadIdx.x / 32][lane * 2 + 1] = sum[1];
    __syncthreads();
    if (threadIdx.x >= SAMPLES * UNITS) return;
    const int s = threadIdx.x / UNITS, i = unit + threadIdx.x % UNITS;
    if (s >= samples || i >= width) return;
    float v[4];
#pragma unroll
    for (int g = 0; g < 4; g++) {
        const int at = threadIdx.x * 4 + g;
        v[g] = partial[0][at] + partial[1][at] + partial[2][at] + partial[3][at];
    }
    const GruGates gate(v[0], v[1], v[2], v[3], gru_biases(bias_ih, bias_hh, i, width));
    gate.store(gates + (size_t)(first + s) * 4 * width + i, width);
    const size_t at = (size_t)(first + s) * width + i;
    next[at] = gate.next(hidden[at]);
}

struct GruForwardArguments {
    const float *x, *hidden;
    const void *weight_ih, *weight_hh, *bias_ih, *bias_hh;
    float *gates, *next;
    int batch, width, mode, padding;
};
ASSERT_SIZE(GruForwardArguments, 80);
ASSERT_OFFSET(GruForwardArguments, x, 0);
ASSERT_OFFSET(GruForwardArguments, hidden, 8);
ASSERT_OFFSET(GruForwardArguments, weight_ih, 16);
ASSERT_OFFSET(GruForwardArguments, weight_hh, 24);
ASSERT_OFFSET(GruForwardArguments, bias_ih, 32);
ASSERT_OFFSET(GruForwardArguments, bias_hh, 40);
ASSERT_OFFSET(GruForwardArguments, gates, 48);
ASSERT_OFFSET(GruForwardArguments, next, 56);
ASSERT_OFFSET(GruForwardArguments, batch, 64);
ASSERT_OFFSET(GruForwardArguments, width, 68);
ASSERT_OFFSET(GruForwardArguments, mode, 72);
ASSERT_OFFSET(GruForwardArguments, padding, 76);

template <class W> __device__ void gru_forward(const GruForwardArguments &p) {
    gru_forward(global(p.x), global(p.hidden), global((const W *)p.weight_ih),
                global((const W *)p.weight_hh), global((const W *)p.bias_ih),
                global((const W *)p.bias_hh), global(p.gates), global(p.next), p.batch, p.width,
                p.mode);
}
FOR_WEIGHTS(gru_forward, __launch_bounds__(128), GruForwardArguments)
