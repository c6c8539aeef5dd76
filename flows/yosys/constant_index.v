// Techmap: a constant indexed by a signal becomes one table, of any size, so that proofs read it whole. The tables of the
// mapped form and of the form `table` are written so.
(* techmap_celltype = "$shiftx" *)
module constant_index (A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTVAL_A_ = 0;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;

  wire _TECHMAP_FAIL_ = Y_WIDTH != 1 || B_SIGNED || A_WIDTH != (1 << B_WIDTH) || ~&_TECHMAP_CONSTMSK_A_;

  \$lut #(.WIDTH(B_WIDTH), .LUT(_TECHMAP_CONSTVAL_A_)) lut (.A(B), .Y(Y));
endmodule
