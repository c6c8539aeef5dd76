// Takes parameter words of 64 bits, then weight words, from their stream, the low bits of each first.
//
// `request` begins a load of `parameters` and `weights` words, which are not both 0. `full` rises after its last beat
// and stays until `consume`. The last beat must carry tlast, and no other (`early`, `late`).
module engine_weight_loader #(
    parameter STREAM = 64,
    parameter PARAMETER_BEATS = 1,
    parameter WEIGHT_BEATS = 1,
    parameter ADDRESS = 20
) (
    input                    clk,
    input                    rst,
    input                    request,
    input                    consume,
    input      [ADDRESS:0]   parameters,
    input      [ADDRESS:0]   weights,
    input                    s_valid,
    output                   s_ready,
    input                    s_last,
    input      [STREAM-1:0]  s_data,
    output reg               full,
    output                   early,
    output                   late,
    output                   waiting,
    output reg               parameter_write,
    output     [61:0]        parameter_word,
    output reg               weight_write,
    output reg [15:0]        weight_chunk,
    output     [STREAM-1:0]  weight_data,
    output reg [ADDRESS-1:0] address
);

  localparam [15:0] PARAMETER_LAST = PARAMETER_BEATS - 1;
  localparam [15:0] WEIGHT_LAST = WEIGHT_BEATS - 1;
  localparam HELD = PARAMETER_BEATS * STREAM;
  localparam [ADDRESS:0] ONE = 1;
  localparam [ADDRESS:0] NONE = 0;

  reg active;
  reg in_weights;  // the parameters are through
  reg [15:0] beat;
  reg [ADDRESS:0] taken;
  reg [ADDRESS:0] parameter_count, weight_count;
  reg [HELD-1:0] held;

  wire take = active & s_valid;
  wire whole = beat == (in_weights ? WEIGHT_LAST : PARAMETER_LAST);
  wire part_over = whole & (taken == (in_weights ? weight_count : parameter_count) - ONE);
  wire load_over = part_over & (in_weights | (weight_count == NONE));

  assign s_ready = active;
  assign waiting = active & ~s_valid;
  assign early = take & s_last & ~load_over;
  assign late = take & ~s_last & load_over;
  assign parameter_word = held[61:0];
  assign weight_data = held[HELD-1:HELD-STREAM];

  generate
    if (PARAMETER_BEATS > 1) begin : several
      always @(posedge clk) if (take) held <= {s_data, held[HELD-1:STREAM]};
    end else begin : one
      always @(posedge clk) if (take) held <= s_data;
    end
  endgenerate

  always @(posedge clk) begin
    if (request) begin
      beat <= 16'd0;
      taken <= NONE;
      in_weights <= parameters == NONE;
      parameter_count <= parameters;
      weight_count <= weights;
    end else if (take) begin
      beat <= whole ? 16'd0 : beat + 16'd1;
      if (whole) taken <= part_over ? NONE : taken + ONE;
      if (part_over) in_weights <= 1'b1;
    end
    address <= taken[ADDRESS-1:0];
    weight_chunk <= beat;
    if (rst) begin
      active <= 1'b0;
      full <= 1'b0;
      parameter_write <= 1'b0;
      weight_write <= 1'b0;
    end else begin
      active <= request | (active & ~(take & load_over));
      full <= (take & load_over) | (full & ~consume);
      parameter_write <= take & whole & ~in_weights;
      weight_write <= take & in_weights;
    end
  end

  wire unused_bits = &{1'b0, held[63:62]};

endmodule
