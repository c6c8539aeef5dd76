// tiny: 20 bits in, 3 bits out, fields from the lowest bit up (README.md).
// Latency 7 clock cycles, one sample every 1; 6 pipeline registers.
// AXI4-Stream in and out, low bits first; m_axis_tlast marks the last beat of each answer.
module tiny (
  input aclk,
  input aresetn,
  input s_axis_tvalid,
  output s_axis_tready,
  input [63:0] s_axis_tdata,
  input s_axis_tlast,
  output m_axis_tvalid,
  input m_axis_tready,
  output [63:0] m_axis_tdata,
  output m_axis_tlast,
  output frame_error
);

  wire rst;
  wire stream_in_valid;
  wire [19:0] stream_in_data;
  wire enable;
  wire [5:0] encode_next;
  wire encode_valid;
  wire [5:0] encode_data;
  wire [7:0] l0_data;
  wire [11:0] l1_next;
  wire l1_valid;
  wire [11:0] l1_data;
  wire [24:0] total_next;
  wire total_valid;
  wire [24:0] total_data;
  wire [17:0] answer_s0_next;
  wire answer_s0_valid;
  wire [17:0] answer_s0_data;
  wire [13:0] answer_s1_next;
  wire answer_s1_valid;
  wire [13:0] answer_s1_data;
  wire [2:0] answer_s2_next;
  wire answer_s2_valid;
  wire [2:0] answer_s2_data;
  wire skid_ready;
  wire [2:0] stream_out_data;
  assign rst = ~aresetn;
  assign enable = ~answer_s2_valid | skid_ready;
  assign m_axis_tdata = { 61'd0, stream_out_data };
  assign m_axis_tlast = 1'd1;

  // collects 1 beat to a sample of 20 bits
  tiny_collect collect (
    .clk(aclk),
    .rst(rst),
    .s_valid(s_axis_tvalid),
    .s_ready(s_axis_tready),
    .s_last(s_axis_tlast),
    .s_data(s_axis_tdata),
    .sample_valid(stream_in_valid),
    .sample_ready(enable),
    .sample_data(stream_in_data),
    .frame_error(frame_error)
  );

  // encoder: 20 bits in, 6 bits out
  tiny_encode encode (
    .in_data(stream_in_data),
    .out_data(encode_next)
  );

  tiny_register #(.WIDTH(6)) encode_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(stream_in_valid),
    .in_data(encode_next),
    .out_valid(encode_valid),
    .out_data(encode_data)
  );

  // tables: 6 bits in, 8 bits out
  tiny_l0 l0 (
    .in_data(encode_data),
    .out_data(l0_data)
  );

  // tables: 8 bits in, 12 bits out
  tiny_l1 l1 (
    .in_data(l0_data),
    .out_data(l1_next)
  );

  tiny_register #(.WIDTH(12)) l1_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(encode_valid),
    .in_data(l1_next),
    .out_valid(l1_valid),
    .out_data(l1_data)
  );

  // sums: 12 bits in, 25 bits out
  tiny_total total (
    .in_data(l1_data),
    .out_data(total_next)
  );

  tiny_register #(.WIDTH(25)) total_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(l1_valid),
    .in_data(total_next),
    .out_valid(total_valid),
    .out_data(total_data)
  );

  // decide: 25 bits in, 18 bits out
  tiny_answer_s0 answer_s0 (
    .in_data(total_data),
    .out_data(answer_s0_next)
  );

  tiny_register #(.WIDTH(18)) answer_s0_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(total_valid),
    .in_data(answer_s0_next),
    .out_valid(answer_s0_valid),
    .out_data(answer_s0_data)
  );

  // decide: 18 bits in, 14 bits out
  tiny_answer_s1 answer_s1 (
    .in_data(answer_s0_data),
    .out_data(answer_s1_next)
  );

  tiny_register #(.WIDTH(14)) answer_s1_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(answer_s0_valid),
    .in_data(answer_s1_next),
    .out_valid(answer_s1_valid),
    .out_data(answer_s1_data)
  );

  // decide: 14 bits in, 3 bits out
  tiny_answer_s2 answer_s2 (
    .in_data(answer_s1_data),
    .out_data(answer_s2_next)
  );

  tiny_register #(.WIDTH(3)) answer_s2_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(answer_s1_valid),
    .in_data(answer_s2_next),
    .out_valid(answer_s2_valid),
    .out_data(answer_s2_data)
  );

  // takes up what leaves the pipeline in the clock in which the receiver stops
  tiny_skid #(.WIDTH(3)) skid (
    .clk(aclk),
    .rst(rst),
    .in_valid(answer_s2_valid),
    .in_ready(skid_ready),
    .in_data(answer_s2_data),
    .out_valid(m_axis_tvalid),
    .out_ready(m_axis_tready),
    .out_data(stream_out_data)
  );

endmodule
