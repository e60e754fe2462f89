// State loop telemetry: the twin of state_loop.rs. One block a watched sample, one warp a mode.
#include "numeric.cuh"

constexpr int MODES = 8;

struct WatchModesArguments {
    const float *hidden;     // [T+1,B,D]
    const float *directions; // [D,8]
    unsigned *counts;        // [n',12]: flips, ABABs, longest dwell, last dwell, tokens in each mode
    int tokens, batch, slot_dim, padding;
};
ASSERT_SIZE(WatchModesArguments, 40);
ASSERT_OFFSET(WatchModesArguments, hidden, 0);
ASSERT_OFFSET(WatchModesArguments, directions, 8);
ASSERT_OFFSET(WatchModesArguments, counts, 16);
ASSERT_OFFSET(WatchModesArguments, tokens, 24);
ASSERT_OFFSET(WatchModesArguments, batch, 28);
ASSERT_OFFSET(WatchModesArguments, slot_dim, 32);
ASSERT_OFFSET(WatchModesArguments, padding, 36);

extern "C" __global__ void __launch_bounds__(256)
    watch_modes(const __grid_constant__ WatchModesArguments p) {
    const int sample = blockIdx.x, k = threadIdx.x / 32, lane = threadIdx.x % 32;
    __shared__ float scores[2][MODES];
    unsigned flips = 0, ababs = 0, dwell = 0, longest = 0, before = 0, before_that = 0;
    unsigned in_mode[MODES] = {};
    for (int t = 0; t < p.tokens; t++) {
        const float *h = p.hidden + ((size_t)(t + 1) * p.batch + sample) * p.slot_dim;
        float score = 0.0f;
        for (int i = lane; i < p.slot_dim; i += 32) score += h[i] * p.directions[i * MODES + k];
#pragma unroll
        for (int offset = 16; offset > 0; offset /= 2)
            score += __shfl_xor_sync(0xffffffffu, score, offset);
        // Two rows in turn: one barrier a token.
        if (lane == 0) scores[t % 2][k] = score;
        __syncthreads();
        if (threadIdx.x != 0) continue;
        unsigned mode = 0; // the first of equals
        for (int i = 1; i < MODES; i++)
            if (scores[t % 2][i] > scores[t % 2][mode]) mode = i;
        const bool flip = t > 0 && mode != before;
        flips += flip;
        ababs += flip && t > 1 && mode == before_that;
        dwell = t == 0 || flip ? 1 : dwell + 1;
        longest = max(longest, dwell);
#pragma unroll
        for (int i = 0; i < MODES; i++) in_mode[i] += i == mode;
        before_that = t == 0 ? mode : before;
        before = mode;
    }
    if (threadIdx.x != 0) return;
    unsigned *counts = p.counts + sample * (4 + MODES);
    counts[0] = flips;
    counts[1] = ababs;
    counts[2] = longest;
    counts[3] = dwell;
#pragma unroll
    for (int i = 0; i < MODES; i++) counts[4 + i] = in_mode[i];
}
