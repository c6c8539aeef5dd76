// Plays VECTORS input vectors through the unit and writes each vector's sums, and its cycles, to answers.txt.
module bench;
    parameter VECTORS = 1;
    `include "settings.vh"
    reg clk = 0, rst = 1, in_valid = 0;
    wire in_ready, out_valid, out_last;
    reg [INPUT_BITS-1:0] in_data = 0;
    wire [ROWS*SUM_BITS-1:0] out_data;
    wire [31:0] cycles;
    reg [INPUT_BITS-1:0] stimulus[0:VECTORS*INPUTS-1];
    integer file, sent, row, left;

    matvec #(
        .INPUTS(INPUTS), .OUTPUTS(OUTPUTS), .ROWS(ROWS), .WEIGHT_BITS(WEIGHT_BITS), .INPUT_BITS(INPUT_BITS),
        .SUM_BITS(SUM_BITS), .REGISTER_PRODUCT(REGISTER_PRODUCT), .INDEX_BITS(INDEX_BITS), .WORD_BITS(WORD_BITS)
    ) unit (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
        .out_valid(out_valid), .out_data(out_data), .out_last(out_last), .cycles(cycles)
    );

    always #5 clk = !clk;
    initial begin
        $readmemh("inputs.hex", stimulus);
        file = $fopen("answers.txt", "w");
        sent = 0;
        left = VECTORS;
        repeat (3) @(negedge clk);
        rst = 0;
        while (left > 0) begin
            in_valid = in_ready && sent < (VECTORS - left + 1) * INPUTS;
            if (in_valid) begin
                in_data = stimulus[sent];
                sent = sent + 1;
            end
            @(negedge clk);
            if (out_valid) begin
                for (row = 0; row < ROWS; row = row + 1)
                    $fwrite(file, "%0d ", $signed(out_data[row*SUM_BITS+:SUM_BITS]));
                if (out_last) begin
                    $fwrite(file, "%0d\n", cycles);
                    left = left - 1;
                end
            end
        end
        $fclose(file);
        $finish;
    end
endmodule
