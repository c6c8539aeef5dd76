// The law of the register bus, AXI4-Lite (see observe_images.v for what the outputs are): one answer for each write and
// each read, held until it is taken; a write acts once, with its own address and data, where it fills its word.
module observe_control #(
    parameter ADDRESS = 13
) (
    input               clk,
    input               rst,
    input [ADDRESS-1:0] awaddr,
    input               awvalid,
    input               awready,
    input [31:0]        wdata,
    input [3:0]         wstrb,
    input               wvalid,
    input               wready,
    input [1:0]         bresp,
    input               bvalid,
    input               bready,
    input [ADDRESS-1:0] araddr,
    input               arvalid,
    input               arready,
    input [31:0]        rdata,
    input [1:0]         rresp,
    input               rvalid,
    input               rready,
    input               write,
    input [ADDRESS-1:0] write_address,
    input [31:0]        write_data,
    input [ADDRESS-1:0] read_address,
    input [31:0]        read_data,
    output              assume_a_write_offered_stays,
    output              claim_address_and_data_are_taken_together,
    output              claim_each_write_is_answered_once,
    output              claim_each_read_is_answered_once,
    output              claim_nothing_answered_or_taken_in_reset,
    output              claim_a_write_acts_once_as_given,
    output              claim_part_of_a_word_is_refused,
    output              claim_read_data_are_what_was_read,
    output              cover_a_write_after_a_stall,
    output              cover_a_read_after_a_stall
);

  reg write_due, read_due, was_reset, partial, stalled_write, stalled_read;
  reg offered_address, offered_data;
  reg [31:0] answer;

  wire address_taken = awvalid & awready;
  wire data_taken = wvalid & wready;
  wire read_taken = arvalid & arready;

  always @(posedge clk) begin
    was_reset <= rst;
    if (rst) begin
      write_due <= 1'b0;
      read_due <= 1'b0;
      stalled_write <= 1'b0;
      stalled_read <= 1'b0;
      offered_address <= 1'b0;
      offered_data <= 1'b0;
    end else begin
      write_due <= address_taken | (write_due & ~bready);
      read_due <= read_taken | (read_due & ~rready);
      if (bvalid & ~bready) stalled_write <= 1'b1;
      if (rvalid & ~rready) stalled_read <= 1'b1;
      offered_address <= awvalid & ~awready;
      offered_data <= wvalid & ~wready;
    end
    if (address_taken) partial <= wstrb != 4'b1111;
    if (read_taken) answer <= read_data;
  end

  assign assume_a_write_offered_stays = (~offered_address | awvalid) & (~offered_data | wvalid);
  assign claim_address_and_data_are_taken_together = address_taken == data_taken;
  assign claim_each_write_is_answered_once = bvalid == write_due & ~(address_taken & write_due & ~bready);
  assign claim_each_read_is_answered_once = rvalid == read_due & ~(read_taken & read_due & ~rready);
  assign claim_nothing_answered_or_taken_in_reset = ~was_reset | ~(bvalid | rvalid | awready | wready);
  assign claim_a_write_acts_once_as_given = (write == (address_taken & (wstrb == 4'b1111))) &
      (~write | (write_address == awaddr & write_data == wdata));
  assign claim_part_of_a_word_is_refused = ~bvalid | (bresp == (partial ? 2'b10 : 2'b00));
  assign claim_read_data_are_what_was_read = (~rvalid | (rdata == answer & rresp == 2'b00)) &
      (~read_taken | read_address == araddr);
  assign cover_a_write_after_a_stall = stalled_write & address_taken;
  assign cover_a_read_after_a_stall = stalled_read & read_taken;

endmodule
