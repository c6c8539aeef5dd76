// Takes one image from its stream: BEATS beats make a word, the low bits first; words go to successive addresses.
//
// `request` begins an image. `full` rises after its last beat and stays until `consume`. The last beat must carry
// tlast, and no other: `early` and `late` are high in the clock of a beat that breaks this.
module engine_image_loader #(
    parameter STREAM = 64,
    parameter WORD = 8,
    parameter BEATS = 1,
    parameter ADDRESS = 20
) (
    input                    clk,
    input                    rst,
    input                    request,
    input                    consume,
    input      [ADDRESS:0]   words,
    input                    s_valid,
    output                   s_ready,
    input                    s_last,
    input      [STREAM-1:0]  s_data,
    output reg               full,
    output                   early,
    output                   late,
    output                   waiting,     // for a beat
    output reg               write,
    output reg [ADDRESS-1:0] address,
    output     [WORD-1:0]    word
);

  localparam [15:0] BEAT_LAST = BEATS - 1;
  localparam [ADDRESS:0] ONE = 1;

  reg active;
  reg [15:0] beat;
  reg [ADDRESS:0] taken;  // whole words
  reg [BEATS*STREAM-1:0] held;  // beats enter at the top and move down

  wire take = active & s_valid;
  wire whole = beat == BEAT_LAST;
  wire end_of_image = whole & (taken == words - ONE);

  assign s_ready = active;
  assign waiting = active & ~s_valid;
  assign early = take & s_last & ~end_of_image;
  assign late = take & ~s_last & end_of_image;
  assign word = held[WORD-1:0];

  generate
    if (BEATS > 1) begin : several
      always @(posedge clk) if (take) held <= {s_data, held[BEATS*STREAM-1:STREAM]};
    end else begin : one
      always @(posedge clk) if (take) held <= s_data;
    end
    if (BEATS * STREAM > WORD) begin : padded
      wire unused_bits = &{1'b0, held[BEATS*STREAM-1:WORD]};
    end
  endgenerate

  always @(posedge clk) begin
    if (request) begin
      beat <= 16'd0;
      taken <= {(ADDRESS + 1) {1'b0}};
    end else if (take) begin
      beat <= whole ? 16'd0 : beat + 16'd1;
      if (whole) taken <= taken + ONE;
    end
    address <= taken[ADDRESS-1:0];
    if (rst) begin
      active <= 1'b0;
      full <= 1'b0;
      write <= 1'b0;
    end else begin
      active <= request | (active & ~(take & end_of_image));
      full <= (take & end_of_image) | (full & ~consume);
      write <= take & whole;
    end
  end

endmodule
