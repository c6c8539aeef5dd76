// Counts the clocks of a command, the clocks in which it waited for a stream, and those of each layer.
module engine_counters (
    input             clk,
    input             begins,         // a command is taken: counters go to 0
    input             running,
    input             wait_data,
    input             wait_weight,
    input             wait_out,
    input             layer_start,
    input             layer_done,
    input      [5:0]  layer,
    input      [5:0]  select,
    output reg [63:0] cycles,
    output reg [31:0] stall_data,
    output reg [31:0] stall_weight,
    output reg [31:0] stall_out,
    output     [31:0] layer_cycles    // of the layer `select`
);

  reg [31:0] clocks;  // of this layer, up to the clock before

  always @(posedge clk) begin
    if (begins) begin
      cycles <= 64'd0;
      stall_data <= 32'd0;
      stall_weight <= 32'd0;
      stall_out <= 32'd0;
    end else if (running) begin
      cycles <= cycles + 64'd1;
      stall_data <= stall_data + {31'd0, wait_data};
      stall_weight <= stall_weight + {31'd0, wait_weight};
      stall_out <= stall_out + {31'd0, wait_out};
    end
    clocks <= layer_start ? 32'd1 : clocks + 32'd1;
  end

  engine_memory #(
      .WIDTH(32),
      .DEPTH(64),
      .BLOCK(0),
      .ADDRESS(6)
  ) by_layer (
      .clk(clk),
      .write(layer_done),
      .write_address(layer),
      .write_data(clocks + 32'd1),
      .read(1'b1),
      .read_address(select),
      .read_data(layer_cycles)
  );

endmodule
