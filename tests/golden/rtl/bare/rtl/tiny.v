// tiny: 20 bits in, 2 bits out, fields from the lowest bit up (README.md).
// Latency 5 clock cycles, one sample every 1; 5 pipeline registers.
// out_valid and out_data follow in_valid and in_data, nothing waits. Reset is synchronous.
module tiny (
  input clk,
  input rst,
  input in_valid,
  input [19:0] in_data,
  output out_valid,
  output [1:0] out_data
);

  wire [5:0] encode_next;
  wire encode_valid;
  wire [5:0] encode_data;
  wire [7:0] l0_next;
  wire l0_valid;
  wire [7:0] l0_data;
  wire [11:0] l1_next;
  wire l1_valid;
  wire [11:0] l1_data;
  wire [14:0] total_next;
  wire total_valid;
  wire [14:0] total_data;
  wire [1:0] answer_next;
  wire answer_valid;
  wire [1:0] answer_data;
  assign out_valid = answer_valid;
  assign out_data = answer_data;

  // encoder: 20 bits in, 6 bits out
  tiny_encode encode (
    .in_data(in_data),
    .out_data(encode_next)
  );

  tiny_register #(.WIDTH(6)) encode_register (
    .clk(clk),
    .rst(rst),
    .in_valid(in_valid),
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
    .clk(clk),
    .rst(rst),
    .in_valid(encode_valid),
    .in_data(l0_next),
    .out_valid(l0_valid),
    .out_data(l0_data)
  );

  // tables: 8 bits in, 12 bits out
  tiny_l1 l1 (
    .in_data(l0_data),
    .out_data(l1_next)
  );

  tiny_register #(.WIDTH(12)) l1_register (
    .clk(clk),
    .rst(rst),
    .in_valid(l0_valid),
    .in_data(l1_next),
    .out_valid(l1_valid),
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
    .in_valid(l1_valid),
    .in_data(total_next),
    .out_valid(total_valid),
    .out_data(total_data)
  );

  // decide: 15 bits in, 2 bits out
  tiny_answer answer (
    .in_data(total_data),
    .out_data(answer_next)
  );

  tiny_register #(.WIDTH(2)) answer_register (
    .clk(clk),
    .rst(rst),
    .in_valid(total_valid),
    .in_data(answer_next),
    .out_valid(answer_valid),
    .out_data(answer_data)
  );

endmodule
