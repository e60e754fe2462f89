// Backward of sensory_chain.cu: many tokens in one launch, from the last to the first; per token what
// sensory_step_backward.cu and gru_backward.cu do, in half precision:
//
//   dx = W_ih' dg, dh += W_hh' dg    of token t
//   dg = GRU'(dh)                    of token t - 1
//
// Clusters of cluster.cuh. A four of values are the gradients dg of a unit's r, z, n and the
// candidate's hidden product q: the weights of W_ih are zero for q, those of W_hh for n. A tile is
// eight columns of both matrices; its products are spread over warps, whose sums are added in a fixed
// order.
#include "cluster.cuh"
#include "gru.cuh"

struct SensoryBackwardChainArguments {
    SensoryStepBackwardArguments step; // its `from`, `dx` and `d_before` are not looked at
    const void *weight_ih, *weight_hh;
    int samples, first, end, padding;  // `samples` of a cluster; tokens of this launch
};
ASSERT_SIZE(SensoryBackwardChainArguments, 112);
ASSERT_OFFSET(SensoryBackwardChainArguments, step, 0);
ASSERT_OFFSET(SensoryBackwardChainArguments, weight_ih, 80);
ASSERT_OFFSET(SensoryBackwardChainArguments, weight_hh, 88);
ASSERT_OFFSET(SensoryBackwardChainArguments, samples, 96);
ASSERT_OFFSET(SensoryBackwardChainArguments, first, 100);
ASSERT_OFFSET(SensoryBackwardChainArguments, end, 104);
ASSERT_OFFSET(SensoryBackwardChainArguments, padding, 108);

#if __CUDA_ARCH__ >= 900
namespace sensory {
// Columns of one tile: rows 0..7 of it are of W_ih, rows 8..15 of W_hh.
constexpr int COLUMNS = cluster::TILE_ROWS / 2;
constexpr int MOST_GATES = cluster::MOST_SAMPLES * cluster::fours(4 * cluster::MOST_WIDTH);
constexpr int MOST_COLUMN_TILES = cluster::most_units() / COLUMNS;
static_assert(chain::steps(4 * cluster::MOST_WIDTH) * MOST_COLUMN_TILES <=
                  cluster::MOST_STEPS * cluster::WARPS,
              "the warps take all of k");

// What a token of a cluster's samples reads and writes, by turns where there are two.
struct SharedBackward {
    uint2 gates[2][MOST_GATES];
    float sums[cluster::WARPS * cluster::TILE_SUMS];
    cluster::Barrier arrived[2];
};

// An element [B,S] of one token, loaded while the token after is gone back over.
struct Element {
    float gates[4], before; // of the token, and its state before it
    float d_state;          // of the state after the token, from the bridge and the state's return
    float input;            // of the token after
    float d_returned;       // of the state that the token after had as input

    __device__ void load(const SensoryStepBackwardArguments &p, int t, size_t at, const float *gate) {
        const size_t next = t + 1, len = p.len;
        if (next < p.tokens) {
            input = p.inputs[next * len + at];
            if (next >= p.delay) d_returned = p.d_states[(next - p.delay) * len + at];
        }
        if (t < 0) return;
        for (int j = 0; j < 4; j++) gates[j] = gate[j * p.width];
        before = p.states[t * len + at];
        d_state = p.d_states[t * len + at];
    }
};
} // namespace sensory

template <class W>
__device__ void sensory_backward_chain(const SensoryBackwardChainArguments &c) {
    using namespace cluster;
    using namespace sensory;
    __shared__ __align__(16) SharedBackward shared;
    const SensoryStepBackwardArguments &p = c.step;
    const int width = p.width, batch = p.len / width;
    const int units = cluster::units(width), stride = fours(4 * width);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int block = rank(), blocks = cluster::blocks(width), first_unit = block * units;
    const int first_sample = blockIdx.x / BLOCKS * c.samples;
    const int samples = min(c.samples, batch - first_sample);
    // Bytes that come to a block with each token: two units are sent if one of them is there.
    const unsigned bytes = samples * ((width + 1) / 2) * sizeof(uint4);

    // A tile's steps are dealt to `groups` warps.
    const int tiles = (units + COLUMNS - 1) / COLUMNS, groups = WARPS / tiles;
    const int tile = warp % tiles, group = warp / tiles, all = chain::steps(4 * width);
    const int each = (all + groups - 1) / groups;
    const int count = group < groups ? max(min(each, all - group * each), 0) : 0;
    Part<W> part;
    const W *ih = (const W *)c.weight_ih, *hh = (const W *)c.weight_hh;
    part.keep(group * each, count, [=](int row, int k) {
        const int column = tile * COLUMNS + row % COLUMNS, i = first_unit + column;
        const int unit = k / 4, gate = k % 4;
        if (column >= units || i >= width || unit >= width) return W(0.0f);
        const auto of = [=](const W *matrix, int gate) {
            return matrix[((size_t)gate * width + unit) * width + i];
        };
        if (row < COLUMNS) return gate == 3 ? W(0.0f) : of(ih, gate);
        return gate == 2 ? W(0.0f) : of(hh, min(gate, 2));
    });

    // The thread's unit of a sample.
    const int unit = threadIdx.x % units, s = threadIdx.x / units, i = first_unit + unit;
    const bool is_there = s < samples && i < width;
    const bool sends = s < samples && first_unit + unit / 2 * 2 < width;
    const size_t at = (size_t)(first_sample + s) * width + i;
    const auto gate_of = [&](int t) {
        return p.gates + ((size_t)t * batch + first_sample + s) * 4 * width + i;
    };
    const int sums_at = unit / COLUMNS * TILE_SUMS + unit % COLUMNS * SUM_STRIDE + s;
    const unsigned gates_here = address(shared.gates), arrived_here = address(shared.arrived);

    for (int place = threadIdx.x; place < MOST_GATES; place += THREADS)
        shared.gates[0][place] = shared.gates[1][place] = make_uint2(0, 0);
    start(shared.arrived, bytes);
    const int last = c.end - 1, tokens = c.end - c.first;
    Element element = {};
    float d_state = 0.0f; // of the state after a token, from the tokens after it
    if (is_there) {
        d_state = p.d_state[at];
        element.load(p, last, at, gate_of(last));
    }
    cluster::sync();

    // n = 0 is what the last token has before any product.
    for (int n = 0; block < blocks && n <= tokens; n++) {
        const int t = c.end - n, turn = n % 2, turn_before = 1 - turn; // t: whose products are taken
        float dx = 0.0f;
        if (n > 0) {
            wait_for(shared.arrived[turn_before], (n - 1) / 2);
            // For the product after the next.
            if (threadIdx.x == 0) expect(shared.arrived[turn_before], bytes);
            __syncthreads(); // the sums of the token after have been read
            part.multiply(shared.gates[turn_before], stride, samples, shared.sums + warp * TILE_SUMS);
            __syncthreads();
            if (is_there) {
                float dh = 0.0f;
#pragma unroll 4
                for (int g = 0; g < groups; g++) {
                    const float *sums = shared.sums + g * tiles * TILE_SUMS + sums_at;
                    dx += sums[0];
                    dh += sums[COLUMNS * SUM_STRIDE];
                }
                d_state += dh;
            }
        }
        const bool returns = n > 0 && t >= p.delay;
        const float d_returned = element.d_returned + dx;
        if (n < tokens) {
            uint2 mine = make_uint2(0, 0);
            if (is_there) {
                // The state that returned may be the one that the token before has left.
                const float d_out = returns && p.delay == 1 ? d_returned : element.d_state;
                d_state = gru_deactivate(d_state + d_out, element.before, element.gates, 1, p.mode);
                mine = pack<W>(element.gates[0], element.gates[1], element.gates[2],
                               element.gates[3]);
            }
            // Two lanes have two units, and each sends both to four blocks.
            const uint2 other = make_uint2(__shfl_xor_sync(0xffffffffu, mine.x, 1),
                                           __shfl_xor_sync(0xffffffffu, mine.y, 1));
            if (sends) {
                const bool is_odd = lane % 2;
                const uint2 a = is_odd ? other : mine, b = is_odd ? mine : other;
                const int place = turn * MOST_GATES + s * stride + i / 2 * 2;
#pragma unroll
                for (int j = 0; j < BLOCKS; j += 2) {
                    const int to = j + lane % 2;
                    if (to >= blocks) break;
                    send(address_in(gates_here + place * sizeof(uint2), to),
                         make_uint4(a.x, a.y, b.x, b.y),
                         address_in(arrived_here + turn * sizeof(Barrier), to));
                }
            }
        }
        if (!is_there) continue;
        if (n < tokens) {
            float *gate = gate_of(t - 1);
#pragma unroll
            for (int j = 0; j < 4; j++) gate[j * width] = element.gates[j];
        }
        if (n > 0)
            p.inputs[(size_t)t * p.len + at] =
                round_to(p.mode, dx * (1.0f - element.input * element.input));
        if (returns) p.d_states[(size_t)(t - p.delay) * p.len + at] = d_returned;
        if (n < tokens) element.load(p, t - 2, at, gate_of(max(t - 2, 0)));
    }
    if (is_there) p.d_state[at] = d_state; // for the tokens before
    // No block leaves before all that was sent to it, or by it, has arrived.
    cluster::sync();
}

FOR_HALVES(sensory_backward_chain,
           __cluster_dims__(cluster::BLOCKS, 1, 1) __launch_bounds__(cluster::THREADS, 1),
           SensoryBackwardChainArguments)
#endif
