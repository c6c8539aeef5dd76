// tiny: 6 bits in, 2 bits out, fields from the lowest bit up (README.md).
// Latency 0 clock cycles, one sample every 1; 0 pipeline registers.
// out_valid and out_data follow in_valid and in_data, nothing waits. Reset is synchronous.
module tiny (
  input clk,
  input rst,
  input in_valid,
  input [5:0] in_data,
  output out_valid,
  output [1:0] out_data
);

  wire [7:0] l0_data;
  wire [11:0] l1_data;
  wire [14:0] total_data;
  wire [1:0] answer_data;
  wire unused_ports;
  assign out_valid = in_valid;
  assign out_data = answer_data;
  assign unused_ports = &{ 1'd0, clk, rst };

  // tables: 6 bits in, 8 bits out
  tiny_l0 l0 (
    .in_data(in_data),
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
    .out_data(total_data)
  );

  // decide: 15 bits in, 2 bits out
  tiny_answer answer (
    .in_data(total_data),
    .out_data(answer_data)
  );

endmodule
