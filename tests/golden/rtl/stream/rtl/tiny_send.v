// Sends one answer of 15 bits as 2 beats of 8 bits, low bits first, zeros above the answer; m_last marks the last.
module tiny_send (
    input  clk,
    input  rst,
    input  answer_valid,
    output answer_ready,
    input  [14:0] answer_data,
    output m_valid,
    input  m_ready,
    output m_last,
    output [7:0] m_data
);

  reg [14:0] words;
  reg [1:0] left;  // beats still to be sent, the one on offer included

  assign m_valid = left != 2'd0;
  assign m_last = left == 2'd1;
  assign m_data = words[7:0];
  assign answer_ready = ~m_valid | (m_last & m_ready);

  always @(posedge clk) begin
    if (answer_valid & answer_ready) words <= answer_data;
    else if (m_valid & m_ready) words <= {8'd0, words[14:8]};
    if (rst) left <= 2'd0;
    else if (answer_valid & answer_ready) left <= 2'd2;
    else if (m_valid & m_ready) left <= left - 2'd1;
  end

endmodule
