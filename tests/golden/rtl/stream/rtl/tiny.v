// tiny: 20 bits in, 15 bits out, fields from the lowest bit up (README.md).
// Latency 9 clock cycles, one sample every 3; 4 pipeline registers.
// AXI4-Stream in and out, low bits first; m_axis_tlast marks the last beat of each answer.
module tiny (
  input aclk,
  input aresetn,
  input s_axis_tvalid,
  output s_axis_tready,
  input [7:0] s_axis_tdata,
  input s_axis_tlast,
  output m_axis_tvalid,
  input m_axis_tready,
  output [7:0] m_axis_tdata,
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
  wire [7:0] l0_next;
  wire l0_valid;
  wire [7:0] l0_data;
  wire [11:0] l1_data;
  wire [17:0] total_s0_next;
  wire total_s0_valid;
  wire [17:0] total_s0_data;
  wire [14:0] total_s1_next;
  wire total_s1_valid;
  wire [14:0] total_s1_data;
  wire skid_ready;
  wire stream_out_valid;
  wire stream_out_ready;
  wire [14:0] stream_out_data;
  assign rst = ~aresetn;
  assign enable = ~total_s1_valid | skid_ready;

  // collects 3 beats to a sample of 20 bits
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
    .out_data(l0_next)
  );

  tiny_register #(.WIDTH(8)) l0_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(encode_valid),
    .in_data(l0_next),
    .out_valid(l0_valid),
    .out_data(l0_data)
  );

  // tables: 8 bits in, 12 bits out
  tiny_l1 l1 (
    .in_data(l0_data),
    .out_data(l1_data)
  );

  // sums: 12 bits in, 18 bits out
  tiny_total_s0 total_s0 (
    .in_data(l1_data),
    .out_data(total_s0_next)
  );

  tiny_register #(.WIDTH(18)) total_s0_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(l0_valid),
    .in_data(total_s0_next),
    .out_valid(total_s0_valid),
    .out_data(total_s0_data)
  );

  // sums: 18 bits in, 15 bits out
  tiny_total_s1 total_s1 (
    .in_data(total_s0_data),
    .out_data(total_s1_next)
  );

  tiny_register #(.WIDTH(15)) total_s1_register (
    .clk(aclk),
    .rst(rst),
    .enable(enable),
    .in_valid(total_s0_valid),
    .in_data(total_s1_next),
    .out_valid(total_s1_valid),
    .out_data(total_s1_data)
  );

  // takes up what leaves the pipeline in the clock in which the receiver stops
  tiny_skid #(.WIDTH(15)) skid (
    .clk(aclk),
    .rst(rst),
    .in_valid(total_s1_valid),
    .in_ready(skid_ready),
    .in_data(total_s1_data),
    .out_valid(stream_out_valid),
    .out_ready(stream_out_ready),
    .out_data(stream_out_data)
  );

  // sends an answer of 15 bits in 2 beats
  tiny_send send (
    .clk(aclk),
    .rst(rst),
    .answer_valid(stream_out_valid),
    .answer_ready(stream_out_ready),
    .answer_data(stream_out_data),
    .m_valid(m_axis_tvalid),
    .m_ready(m_axis_tready),
    .m_last(m_axis_tlast),
    .m_data(m_axis_tdata)
  );

endmodule
