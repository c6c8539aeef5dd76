// Techmap: a constant indexed by at most six bits becomes one look-up table of the device, as it was mapped before the
// Verilog was written. Without it yosys takes the constants apart into multiplexers and maps them again, into more LUTs.
(* techmap_celltype = "$shiftx" *)
module keep_luts (A, B, Y);
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

  wire _TECHMAP_FAIL_ =
      Y_WIDTH != 1 || B_SIGNED || B_WIDTH > 6 || A_WIDTH != (1 << B_WIDTH) || ~&_TECHMAP_CONSTMSK_A_;

  generate
    case (B_WIDTH)
      1: LUT1 #(.INIT(_TECHMAP_CONSTVAL_A_)) lut (.O(Y), .I0(B[0]));
      2: LUT2 #(.INIT(_TECHMAP_CONSTVAL_A_)) lut (.O(Y), .I0(B[0]), .I1(B[1]));
      3: LUT3 #(.INIT(_TECHMAP_CONSTVAL_A_)) lut (.O(Y), .I0(B[0]), .I1(B[1]), .I2(B[2]));
      4: LUT4 #(.INIT(_TECHMAP_CONSTVAL_A_)) lut (.O(Y), .I0(B[0]), .I1(B[1]), .I2(B[2]), .I3(B[3]));
      5: LUT5 #(.INIT(_TECHMAP_CONSTVAL_A_)) lut (.O(Y), .I0(B[0]), .I1(B[1]), .I2(B[2]), .I3(B[3]), .I4(B[4]));
      6: LUT6 #(.INIT(_TECHMAP_CONSTVAL_A_)) lut (
          .O(Y), .I0(B[0]), .I1(B[1]), .I2(B[2]), .I3(B[3]), .I4(B[4]), .I5(B[5]));
    endcase
  endgenerate
endmodule
