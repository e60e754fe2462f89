// Backward of one token of a GRU cell: the twin of gru_backward.rs.
#include "gru.cuh"

// Gradients of x (written) and of h (added to z * dh) from those of the pre-activations.
// A block: eight columns of eight samples; a warp reads four rows of both matrices at a time.
// grid (ceil(B/8), ceil(W/8)), block 512.
template <class W>
__device__ void gru_backward(const float *gates, const W *weight_ih, const W *weight_hh, float *dx,
                             float *dh, int batch, int width) {
    constexpr int COLUMNS = 8, ROWS = 4, WARPS = 16;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int column = min((int)blockIdx.y * COLUMNS + lane % COLUMNS, width - 1);
    const int first = blockIdx.x * SAMPLES, samples = min(SAMPLES, batch - first);
    const float *rows = gates + (size_t)first * 4 * width;
    float sum[2 * SAMPLES] = {};
#pragma unroll 4
    for (int o = warp * ROWS + lane / COLUMNS; o < 3 * width; o += WARPS * ROWS) {
        const float wi = value(weight_ih[(size_t)o * width + column]);
        const float wh = value(weight_hh[(size_t)o * width + column]);
        // The candidate's hidden product has a gradient of its own, after the other three.
        const int oh = o < 2 * width ? o : o + width;
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) {
            if (s >= samples) break;
            const float *row = rows + (size_t)s * 4 * width;
            sum[s] += row[o] * wi;
            sum[SAMPLES + s] += row[oh] * wh;
        }
    }
    __shared__ float partial[WARPS][COLUMNS][2 * SAMPLES + 1];
#pragma unroll
    for (int i = 0; i < 2 * SAMPLES; i++) {
        sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], 8);
        sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], 16);
        if (lane < COLUMNS) partial[warp][lane][i] = sum[i];
    }
    __syncthreads();
    if (threadIdx.x >= COLUMNS * 2 * SAMPLES) return;
    const int i = threadIdx.x / COLUMNS, s = i % SAMPLES;
    const int k = blockIdx.y * COLUMNS + threadIdx.x % COLUMNS;
    if (s >= samples || k >= width) return;
    float total = 0.0f;
#pragma unroll
    for (int w = 0; w < WARPS; w++) total += partial[w][threadIdx.x % COLUMNS][i];
    const size_t at = (size_t)(first + s) * width + k;
    if (i < SAMPLES)
        dx[at] = total;
    else
        dh[at] += total;
}

struct GruBackwardArguments {
    const float *gates;
    const void *weight_ih, *weight_hh;
    float *dx, *dh;
    int batch, width;
};
ASSERT_SIZE(GruBackwardArguments, 48);
ASSERT_OFFSET(GruBackwardArguments, gates, 0);
ASSERT_OFFSET(GruBackwardArguments, weight_ih, 8);
ASSERT_OFFSET(GruBackwardArguments, weight_hh, 16);
ASSERT_OFFSET(GruBackwardArguments, dx, 24);
ASSERT_OFFSET(GruBackwardArguments, dh, 32);
ASSERT_OFFSET(GruBackwardArguments, batch, 40);
ASSERT_OFFSET(GruBackwardArguments, width, 44);

template <class W> __device__ void gru_backward(const GruBackwardArguments &p) {
    gru_backward(global(p.gates), global((const W *)p.weight_ih), global((const W *)p.weight_hh),
                 global(p.dx), global(p.dh), p.batch, p.width);
}
FOR_WEIGHTS(gru_backward, __launch_bounds__(512), GruBackwardArguments)
