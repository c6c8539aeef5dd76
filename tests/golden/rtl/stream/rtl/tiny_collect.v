// Collects the 3 beats of 8 bits that carry one sample of 20 bits, low bits first.
// The last beat may carry s_last or not. s_last on an earlier beat ends the sample too soon: its beats are dropped,
// `frame_error` is high for one clock, and the next beat begins a new sample.
module tiny_collect (
    input  clk,
    input  rst,
    input  s_valid,
    output s_ready,
    input  s_last,
    input  [7:0] s_data,
    output sample_valid,
    input  sample_ready,
    output [19:0] sample_data,
    output frame_error
);

  reg full;
  reg [23:0] words;  // beats enter at the top and move down
  reg [1:0] received;
  reg dropped;

  wire take = s_valid & s_ready;
  wire complete = received == 2'd2;

  assign s_ready = ~full | sample_ready;
  assign sample_valid = full;
  assign sample_data = words[19:0];
  assign frame_error = dropped;

  always @(posedge clk) begin
    if (take) words <= {s_data, words[23:8]};
    if (rst) begin
      full <= 1'b0;
      dropped <= 1'b0;
      received <= 2'd0;
    end else begin
      full <= (take & complete) | (full & ~sample_ready);
      dropped <= take & s_last & ~complete;
      if (take) received <= (complete | s_last) ? 2'd0 : received + 2'd1;
    end
  end

endmodule
