// Many tokens of the sensory cell in one launch, as gru_forward.cu has each, in half precision:
//
//   gates, h' = GRU(x, h)
//
// Clusters of cluster.cuh: half of a block's warps take the products with the states, which a block
// waits for, the other half those with the inputs of the token after, while it does. A tile is the
// three gates of five units.
#include "cluster.cuh"
#include "gru.cuh"

struct SensoryChainArguments {
    const float *x; // [T,B,S]
    float *hidden;  // [T+1,B,S]
    const void *weight_ih, *weight_hh, *bias_ih, *bias_hh;
    float *gates;   // [T,B,4S]
    // `samples` of a cluster; `count` tokens from `first` on.
    int batch, width, samples, first, count, padding;
};
ASSERT_SIZE(SensoryChainArguments, 80);
ASSERT_OFFSET(SensoryChainArguments, x, 0);
ASSERT_OFFSET(SensoryChainArguments, hidden, 8);
ASSERT_OFFSET(SensoryChainArguments, weight_ih, 16);
ASSERT_OFFSET(SensoryChainArguments, weight_hh, 24);
ASSERT_OFFSET(SensoryChainArguments, bias_ih, 32);
ASSERT_OFFSET(SensoryChainArguments, bias_hh, 40);
ASSERT_OFFSET(SensoryChainArguments, gates, 48);
ASSERT_OFFSET(SensoryChainArguments, batch, 56);
ASSERT_OFFSET(SensoryChainArguments, width, 60);
ASSERT_OFFSET(SensoryChainArguments, samples, 64);
ASSERT_OFFSET(SensoryChainArguments, first, 68);
ASSERT_OFFSET(SensoryChainArguments, count, 72);
ASSERT_OFFSET(SensoryChainArguments, padding, 76);

#if __CUDA_ARCH__ >= 900
namespace sensory {
constexpr int UNITS_IN_TILE = 5, PRODUCT_WARPS = cluster::WARPS / 2;
constexpr int MOST_TILES = (cluster::most_units() + UNITS_IN_TILE - 1) / UNITS_IN_TILE;
constexpr int MOST_VALUES = cluster::MOST_SAMPLES * cluster::fours(cluster::MOST_WIDTH);
static_assert(MOST_TILES <= PRODUCT_WARPS, "a tile is one warp's");
static_assert(chain::steps(cluster::MOST_WIDTH) <= cluster::MOST_STEPS, "a warp takes all of k");
static_assert(cluster::most_units() * cluster::MOST_SAMPLES <= 32 * PRODUCT_WARPS,
              "a unit of a sample is one thread's");

// What a token of a cluster's samples reads and writes, by the token's parity where there are two.
struct Shared {
    uint2 states[2][MOST_VALUES], inputs[2][MOST_VALUES];
    float of_states[MOST_TILES * cluster::TILE_SUMS];
    float of_inputs[2][MOST_TILES * cluster::TILE_SUMS];
    cluster::Barrier arrived[2];
};

// Fours of a sample's fp32 values, by a warp: loaded here, stored a while later.
template <class W> struct Row {
    static constexpr int PARTS = cluster::MOST_WIDTH / 4 / 32;
    float4 loaded[PARTS];

    __device__ void load(const float *row, int width) {
#pragma unroll
        for (int i = 0; i < PARTS; i++)
            loaded[i] = chain::four(row, (threadIdx.x % 32 + i * 32) * 4, width, width % 4 == 0);
    }
    __device__ void store(uint2 *to, int width) const {
#pragma unroll
        for (int i = 0; i < PARTS; i++) {
            const int at = threadIdx.x % 32 + i * 32;
            const float4 v = loaded[i];
            if (at * 4 < width) to[at] = cluster::pack<W>(v.x, v.y, v.z, v.w);
        }
    }
};
} // namespace sensory

template <class W> __device__ void sensory_chain(const SensoryChainArguments &c) {
    using namespace cluster;
    using namespace sensory;
    __shared__ __align__(16) Shared shared;
    const int width = c.width, units = cluster::units(width), stride = fours(width);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, tile = warp % PRODUCT_WARPS;
    const bool of_states = warp < PRODUCT_WARPS;
    const bool multiplies = tile < (units + UNITS_IN_TILE - 1) / UNITS_IN_TILE;
    const int block = rank(), blocks = cluster::blocks(width), first_unit = block * units;
    const int count = block < blocks ? c.count : 0;
    const int first_sample = blockIdx.x / BLOCKS * c.samples;
    const int samples = min(c.samples, c.batch - first_sample);
    // Bytes that come to a block with each token: a four is sent if one of its units is there.
    const unsigned bytes = samples * ((width + 3) / 4) * sizeof(uint2);

    Part<W> part;
    const W *matrix = (const W *)(of_states ? c.weight_hh : c.weight_ih);
    part.keep(0, multiplies ? chain::steps(width) : 0, [=](int row, int k) {
        const int unit = tile * UNITS_IN_TILE + row / 3, i = first_unit + unit;
        const bool is_there = row < 3 * UNITS_IN_TILE && unit < units && i < width && k < width;
        return is_there ? matrix[((size_t)(row % 3) * width + i) * width + k] : W(0.0f);
    });

    // The thread's unit of a sample.
    const int unit = threadIdx.x % units, s = threadIdx.x / units, i = first_unit + unit;
    const bool is_there = s < samples && i < width;
    const bool sends = s < samples && first_unit + unit / 4 * 4 < width;
    const int sums_at =
        unit / UNITS_IN_TILE * TILE_SUMS + unit % UNITS_IN_TILE * 3 * SUM_STRIDE + s;
    GruBiases bias = {};
    float state = 0.0f;
    if (is_there) {
        bias = gru_biases((const W *)c.bias_ih, (const W *)c.bias_hh, i, width);
        state = c.hidden[((size_t)c.first * c.batch + first_sample + s) * width + i];
    }
    const unsigned states_here = address(shared.states), arrived_here = address(shared.arrived);

    for (int at = threadIdx.x; at < MOST_VALUES; at += THREADS)
        shared.states[0][at] = shared.states[1][at] = shared.inputs[0][at] = shared.inputs[1][at] =
            make_uint2(0, 0);
    start(shared.arrived, bytes);
    // A warp of either half takes a sample's row of states, of inputs.
    const bool has_row = tile < samples;
    const auto row_of = [&](const float *values, int t) {
        return values + ((size_t)t * c.batch + first_sample + tile) * width;
    };
    Row<W> row;
    if (has_row) {
        row.load(row_of(of_states ? c.hidden : c.x, c.first), width);
        row.store((of_states ? shared.states : shared.inputs)[0] + tile * stride, width);
        if (!of_states && count > 1) {
            row.load(row_of(c.x, c.first + 1), width);
            row.store(shared.inputs[1] + tile * stride, width);
        }
    }
    cluster::sync();
    if (!of_states && multiplies)
        part.multiply(shared.inputs[0], stride, samples, shared.of_inputs[0] + tile * TILE_SUMS);

    for (int n = 0; n < count; n++) {
        const int now = n % 2, after = 1 - now;
        if (of_states) {
            if (n > 0) {
                wait_for(shared.arrived[now], (n - 1) / 2);
                // For the token after the next.
                if (threadIdx.x == 0) expect(shared.arrived[now], bytes);
            }
            if (multiplies)
                part.multiply(shared.states[now], stride, samples,
                              shared.of_states + tile * TILE_SUMS);
        }
        __syncthreads();
        if (of_states) {
            GruGates gate;
            if (is_there) {
                const float *x = shared.of_inputs[now] + sums_at, *h = shared.of_states + sums_at;
                gate = GruGates(x[0] + h[0], x[SUM_STRIDE] + h[SUM_STRIDE], x[2 * SUM_STRIDE],
                                h[2 * SUM_STRIDE], bias);
                state = gate.next(state);
            }
            // Four lanes have the states of a four, and each sends it to two blocks.
            float four[4];
#pragma unroll
            for (int j = 0; j < 4; j++) four[j] = __shfl_sync(0xffffffffu, state, j, 4);
            if (sends && n + 1 < count) {
                const uint2 values = pack<W>(four[0], four[1], four[2], four[3]);
                const int place = after * MOST_VALUES + s * stride + (first_unit + unit) / 4;
#pragma unroll
                for (int j = 0; j < BLOCKS; j += 4) {
                    const int to = j + lane % 4;
                    if (to >= blocks) break;
                    send(address_in(states_here + place * sizeof(uint2), to), values,
                         address_in(arrived_here + after * sizeof(Barrier), to));
                }
            }
            if (is_there) {
                const size_t sample = (size_t)(c.first + n) * c.batch + first_sample + s;
                gate.store(c.gates + sample * 4 * width + i, width);
                c.hidden[(sample + c.batch) * width + i] = state;
            }
        } else {
            const bool loads = has_row && n + 2 < count;
            if (loads) row.load(row_of(c.x, c.first + n + 2), width);
            if (multiplies && n + 1 < count)
                part.multiply(shared.inputs[after], stride, samples,
                              shared.of_inputs[after] + tile * TILE_SUMS);
            if (loads) row.store(shared.inputs[now] + tile * stride, width);
        }
    }
    // No block leaves before all that was sent to it, or by it, has arrived.
    cluster::sync();
}

FOR_HALVES(sensory_chain,
           __cluster_dims__(cluster::BLOCKS, 1, 1) __launch_bounds__(cluster::THREADS, 1),
           SensoryChainArguments)
#endif
