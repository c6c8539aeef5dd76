// tiny: 20 bits in, 3 bits out, fields from the lowest bit up (README.md).
// Latency 3 clock cycles, one sample every 1; 3 pipeline registers.
// A word moves where valid and ready are both high at a rising clock edge. Reset is synchronous.
module tiny (
  input clk,
  input rst,
  input in_valid,
  output in_ready,
  input [19:0] in_data,
  output out_valid,
  input out_ready,
  output [2:0] out_data
);

  wire enable;
  wire [8:0] encode_data;
  wire [7:0] l0_next;
  wire l0_valid;
  wire [7:0] l0_data;
  wire [11:0] l1_data;
  wire [14:0] total_next;
  wire total_valid;
  wire [14:0] total_data;
  wire [2:0] answer_next;
  wire answer_valid;
  wire [2:0] answer_data;
  wire skid_ready;
  assign enable = ~answer_valid | skid_ready;
  assign in_ready = enable;

  // encoder: 20 bits in, 9 bits out
  tiny_encode encode (
    .in_data(in_data),
    .out_data(encode_data)
  );

  // tables: 9 bits in, 8 bits out
  tiny_l0 l0 (
    .in_data(encode_data),
    .out_data(l0_next)
  );

  tiny_register #(.WIDTH(8)) l0_register (
    .clk(clk),
    .rst(rst),
    .enable(enable),
    .in_valid(in_valid),
    .in_data(l0_next),
    .out_valid(l0_valid),
    .out_data(l0_data)
  );

  // tables: 8 bits in, 12 bits out
  tiny_l1 l1 (
    .in_data(l0_data),
    .out_data(l1_data)
  );

  // sums: 12 bits in, 15 bits out
  tiny_total total (
    .in_data(l1_data),
    .out_data(total_next)
  );

  tiny_register #(.WIDTH(15)) total_register (
    .clk(clk),
    .rst(rst),
    .enable(enable),
    .in_valid(l0_valid),
    .in_data(total_next),
    .out_valid(total_valid),
    .out_data(total_data)
  );

  // decide: 15 bits in, 3 bits out
  tiny_answer answer (
    .in_data(total_data),
    .out_data(answer_next)
  );

  tiny_register #(.WIDTH(3)) answer_register (
    .clk(clk),
    .rst(rst),
    .enable(enable),
    .in_valid(total_valid),
    .in_data(answer_next),
    .out_valid(answer_valid),
    .out_data(answer_data)
  );

  // takes up what leaves the pipeline in the clock in which the receiver stops
  tiny_skid #(.WIDTH(3)) skid (
    .clk(clk),
    .rst(rst),
    .in_valid(answer_valid),
    .in_ready(skid_ready),
    .in_data(answer_data),
    .out_valid(out_valid),
    .out_ready(out_ready),
    .out_data(out_data)
  );

endmodule
