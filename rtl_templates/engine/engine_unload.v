// Keeps the answers of an image and sends them, 32 bits each, the first in the lowest bits; tlast marks the last beat.
//
// A beat takes one clock and each clock in which the receiver is not ready adds one; the first beat is on offer one
// clock after `request`. After `rst` a beat on offer stays until it is taken, as AXI4-Stream demands; none follows it.
module engine_unload #(
    parameter STREAM = 64,
    parameter LANES = 2,      // answers in a beat, or 1
    parameter SLICES = 1,     // beats of an answer, or 1
    parameter LANE_BITS = 1,  // log2 of LANES
    parameter DEPTH = 16,     // words of LANES answers
    parameter DEPTH_BITS = 4,
    parameter BLOCK = 0,
    parameter ADDRESS = 20
) (
    input                   clk,
    input                   rst,         // give up
    input                   power_reset, // forget even the beat on offer
    input                   write,
    input  [ADDRESS-1:0]    write_address,
    input  [31:0]           write_data,
    input                   request,
    input  [ADDRESS:0]      answers,
    output                  done,        // in the clock in which the last beat is taken
    output                  busy,
    output                  waiting,     // a beat is on offer and not taken
    output                  m_valid,
    input                   m_ready,
    output                  m_last,
    output [STREAM-1:0]     m_data
);

  localparam [ADDRESS:0] ONE = 1;
  localparam [ADDRESS:0] LANES_LESS_1 = LANES - 1;
  localparam [5:0] SLICE_LAST = SLICES - 1;

  reg reading;  // words are left to be read
  reg valid;
  reg ending;  // give up after this beat
  reg [ADDRESS:0] next;  // word to be read
  reg [5:0] slice;
  reg word_last;  // the word on offer is the last
  wire [ADDRESS:0] words = (answers + LANES_LESS_1) >> LANE_BITS;
  wire slice_last = slice == SLICE_LAST;
  wire move = ~valid | (m_ready & slice_last);  // the next word may take the place of the one on offer
  wire read = reading & move;

  assign m_valid = valid;
  assign m_last = valid & word_last & slice_last;
  assign done = m_last & m_ready & ~ending;
  assign busy = reading | valid;
  assign waiting = valid & ~m_ready;

  always @(posedge clk) begin
    if (power_reset) begin
      reading <= 1'b0;
      valid <= 1'b0;
      ending <= 1'b0;
    end else if (rst | ending) begin
      reading <= 1'b0;
      valid <= valid & ~m_ready;
      ending <= valid & ~m_ready;
    end else if (request) begin
      reading <= 1'b1;
      valid <= 1'b0;
    end else begin
      if (read) reading <= next != words - ONE;
      if (move) valid <= read;
    end
    if (request) next <= {(ADDRESS + 1) {1'b0}};
    else if (read) next <= next + ONE;
    if (read) word_last <= next == words - ONE;
    if (read | ~valid) slice <= 6'd0;
    else if (m_ready) slice <= slice + 6'd1;
  end

  wire [32*LANES-1:0] word;
  genvar lane;
  generate
    for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
      wire here;
      if (LANES == 1) begin : only
        assign here = 1'b1;
      end else begin : one_of
        assign here = write_address[LANE_BITS-1:0] == lane[LANE_BITS-1:0];
      end
      engine_memory #(
          .WIDTH(32),
          .DEPTH(DEPTH),
          .BLOCK(BLOCK),
          .ADDRESS(DEPTH_BITS)
      ) memory (
          .clk(clk),
          .write(write & here),
          .write_address(write_address[LANE_BITS+:DEPTH_BITS]),
          .write_data(write_data),
          .read(read),
          .read_address(next[DEPTH_BITS-1:0]),
          .read_data(word[32*lane+:32])
      );
    end
    if (STREAM >= 32) begin : wide
      assign m_data = word;
    end else begin : narrow
      assign m_data = word[slice*STREAM+:STREAM];
    end
  endgenerate

  wire unused_bits = &{1'b0, write_address};

endmodule
