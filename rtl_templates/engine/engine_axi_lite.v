// AXI4-Lite to a plain register bus: one write or read at a time on each side, answered in the clock after it.
// A write that does not fill its word is refused with SLVERR. Every output is a register, or follows from registers
// alone, as AXI demands; address and data of a write are taken together, in the second clock in which both are there.
module engine_axi_lite #(
    parameter ADDRESS = 13
) (
    input                    clk,
    input                    rst,
    input      [ADDRESS-1:0] s_awaddr,
    input                    s_awvalid,
    output reg               s_awready,
    input      [31:0]        s_wdata,
    input      [3:0]         s_wstrb,
    input                    s_wvalid,
    output                   s_wready,
    output     [1:0]         s_bresp,
    output reg               s_bvalid,
    input                    s_bready,
    input      [ADDRESS-1:0] s_araddr,
    input                    s_arvalid,
    output                   s_arready,
    output reg [31:0]        s_rdata,
    output     [1:0]         s_rresp,
    output reg               s_rvalid,
    input                    s_rready,
    output                   write,
    output     [ADDRESS-1:0] write_address,
    output     [31:0]        write_data,
    output     [ADDRESS-1:0] read_address,
    input      [31:0]        read_data
);

  reg refused;

  wire take = s_awready & s_awvalid & s_wvalid;
  wire whole = s_wstrb == 4'b1111;
  wire give = s_arvalid & s_arready;

  assign s_wready = s_awready;
  assign s_bresp = {refused, 1'b0};
  assign write = take & whole;
  assign write_address = s_awaddr;
  assign write_data = s_wdata;
  assign s_arready = ~s_rvalid;
  assign read_address = s_araddr;
  assign s_rresp = 2'b00;

  always @(posedge clk) begin
    if (rst) begin
      s_awready <= 1'b0;
      s_bvalid <= 1'b0;
      s_rvalid <= 1'b0;
    end else begin
      s_awready <= s_awvalid & s_wvalid & ~s_awready & (~s_bvalid | s_bready);
      s_bvalid <= take | (s_bvalid & ~s_bready);
      s_rvalid <= give | (s_rvalid & ~s_rready);
    end
    if (take) refused <= ~whole;
    if (give) s_rdata <= read_data;
  end

endmodule
